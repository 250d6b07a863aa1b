/*
 * The part of the queue's program that lives as long as a job. The wrapper and the job are sessions of their own each, so
 * that a job that signals its whole process group or session does not hit the wrapper.
 *
 * The wrapper inherits the lock from whoever started it and lets go once its identity is written down: whoever holds the
 * lock knows that no half-started wrapper exists, and that a job without a file in `running` has never run.
 */
/** Finds and ends the processes of a job. */
export const processes = `
# Not every grep looks beyond a NUL, so the environments are made into lines.
members() {
  {
    head -c 1000000 /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'
    grep -sE '^(PPid|NSsid):' /proc/[0-9]*/status
  } | awk -F '[/:]' -v mark="WHERRY_DIRECT_ID=$1" -v leader="$2" -v wrapper="$3" -v self=$$ '
    /^==> .proc.[0-9]+.environ <==$/ { pid = $3; next }
    $0 == mark { ours[pid] = 1; next }
    $1 != "" || $2 != "proc" { next }
    $5 == "PPid" { parent[$3] = $6 + 0 }
    $5 == "NSsid" {
      split($6, session, " ")
      if ((leader != "" && session[1] == leader) || (wrapper != "" && session[1] == wrapper)) ours[$3] = 1
    }
    END {
      if (leader != "" && (leader in parent)) ours[leader] = 1
      do {
        grown = 0
        for (pid in parent) if (!(pid in ours) && (parent[pid] in ours)) { ours[pid] = 1; grown = 1 }
      } while (grown)
      for (pid in ours) if (pid != self) print pid
    }'
}

add_members() {
  for member in $(members "$1" "$2" "$3"); do
    if read_stat "$member"; then
      case "$targets " in *" $member:$stat_start "*) ;; *) targets="$targets $member:$stat_start" ;; esac
    fi
  done
}

signal_targets() {
  survivors=
  for target in $targets; do
    if alive "\${target%:*}" "\${target#*:}"; then
      survivors=1
      [ "$1" = 0 ] || kill -s "$1" "\${target%:*}" 2>/dev/null
    fi
  done
}

kill_members() {
  targets= rounds=0
  while [ "$rounds" -lt 30 ]; do
    add_members "$1" "$2" "$3"
    signal_targets KILL
    [ -n "$survivors" ] || break
    rounds=$((rounds + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
}
`;

/** Stays with a job from its start to its record. */
export const wrapper = `
# The chains of parents are read before anything dies, for they break then.
end_tree() {
  targets= rounds=0
  add_members "$queued_id" "$leader" ''
  signal_targets TERM
  signal_targets CONT
  while [ -n "$survivors" ] && [ "$rounds" -lt 50 ]; do
    sleep 0.1 2>/dev/null || { sleep 1; rounds=$((rounds + 9)); }
    rounds=$((rounds + 1))
    signal_targets 0
  done
  while [ -n "$survivors" ] && [ "$rounds" -lt 80 ]; do
    signal_targets KILL
    sleep 0.1 2>/dev/null || sleep 1
    rounds=$((rounds + 1))
    signal_targets 0
  done
  kill_members "$queued_id" "$leader" ''
}

start_timer() {
  (
    trap 'kill "$!" 2>/dev/null; exit' TERM
    trap - USR1
    sleep "$1" &
    wait "$!"
    if alive "$$" "$own_start"; then kill -s USR1 "$$"; fi
  ) &
  timer=$!
}

problem() {
  printf 'problem\\t%s\\n' "$2" >>"$1"
  exit 126
}

# Runs in the process that becomes the job: RECORD ID COMMAND. The header and the interpreter are read from the script.
# The environment that is read here may hold any name, so everything is said with names of our own.
become_job() {
  . "$3"
  unset OLDPWD
  cd "$wherry_direct_directory/." || problem "$1" "the job's directory cannot be entered"
  wherry_direct_stdout=/dev/null wherry_direct_stderr=/dev/null wherry_direct_shell= wherry_direct_count=0
  {
    while [ "$wherry_direct_count" -lt 50 ] && IFS= read -r wherry_direct_line; do
      wherry_direct_count=$((wherry_direct_count + 1))
      case $wherry_direct_line in
        '#!'*) [ "$wherry_direct_count" -gt 1 ] || wherry_direct_shell=\${wherry_direct_line#'#!'} ;;
        '#DIRECT stdout '*) wherry_direct_stdout=./\${wherry_direct_line#'#DIRECT stdout '} ;;
        '#DIRECT stderr '*) wherry_direct_stderr=./\${wherry_direct_line#'#DIRECT stderr '} ;;
        '#'* | '') ;;
        *) break ;;
      esac
    done
  } 2>/dev/null <"./$wherry_direct_script" || problem "$1" "the job's script cannot be read"
  true 2>/dev/null >>"$wherry_direct_stdout" && true 2>/dev/null >>"$wherry_direct_stderr" ||
    problem "$1" "the job's output cannot be written"
  export WHERRY_DIRECT_ID="$2"
  exec >"$wherry_direct_stdout"
  if [ "$wherry_direct_stderr" = "$wherry_direct_stdout" ]; then exec 2>&1; else exec 2>"$wherry_direct_stderr"; fi
  wherry_direct_shell=\${wherry_direct_shell#"\${wherry_direct_shell%%[! \t]*}"}
  wherry_direct_argument=\${wherry_direct_shell#"\${wherry_direct_shell%%[ \t]*}"}
  wherry_direct_argument=\${wherry_direct_argument#"\${wherry_direct_argument%%[! \t]*}"}
  wherry_direct_shell=\${wherry_direct_shell%%[ \t]*}
  if [ -n "$wherry_direct_argument" ]; then
    exec setsid "$wherry_direct_shell" "$wherry_direct_argument" "./$wherry_direct_script"
  fi
  exec setsid "\${wherry_direct_shell:-/bin/sh}" "./$wherry_direct_script"
}

end_word() {
  word=failed reason=$running_problem
  if [ -z "$ending" ]; then
    [ "$code" -ne 0 ] || word=done
  elif [ "$ending" = timeout ]; then
    word=timeout reason='the walltime is over'
  elif [ -n "$running_cancel" ]; then
    word=cancelled reason=
  else
    reason='it was ended from outside of the queue'
  fi
}

run() {
  ending= handled= code= timer=
  umask 077
  cd "$work/.wherry-queue" && read_computer && read_queued "$number" && read_stat $$ || exit 1
  own_start=$stat_start
  trap 'ending=timeout' USR1
  trap 'ending=terminated' TERM
  printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t.\\n' "$queued_id" "$queued_cpus" "$started" "$host" "$boot" $$ \\
    "$own_start" >"running/$number" || exit 1
  exec 9>&-
  [ "$queued_walltime" = - ] || start_timer "$queued_walltime"
  (become_job "$work/.wherry-queue/running/$number" "$queued_id" "./commands/$number") &
  leader=$!
  read_stat "$leader" && printf 'leader\\t%s\\t%s\\n' "$leader" "$stat_start" >>"running/$number"
  while :; do
    previous=$code
    if [ -n "$ending" ] && [ -z "$handled" ]; then
      handled=1
      end_tree
    fi
    wait "$leader"
    code=$?
    # The end came first, then the signal: the second wait knows nothing any more.
    [ "$code" -ne 127 ] || code=\${previous:-127}
    [ -n "$ending" ] && [ -z "$handled" ] || break
  done
  [ -z "$timer" ] || kill -s TERM "$timer" 2>/dev/null
  if kill -0 "-$leader" 2>/dev/null; then end_tree; fi
  finish
}

# Without a record the job would count as lost: with a full disk it stays running until there is space.
finish() {
  take_lock '' || exit 1
  read_running "$number" || exit 1
  end_word
  read_time
  until record_end "$number" "$word" "$code" "$started" "$reason"; do
    exec 9>&-
    sleep 10
    [ -d history ] && take_lock '' || exit 1
    printf '\\n' >>"history/$((number / 1000))"
  done
  rm -f "running/$number" "queued/$number" "commands/$number"
  pump
  exit 0
}
`;
