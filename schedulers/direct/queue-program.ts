import { createHash } from 'node:crypto';
import { processes, wrapper } from './wrapper-program.js';

/*
 * The queue as a program for POSIX sh. Its arguments are WRAPPER VERB WORK HASH SLOTS …, WRAPPER being the text of the
 * program that stays with a job; jobs are run by the version of it that their submission brought.
 *
 * <work directory>/.wherry-queue/
 *   lock         flock'ed by whoever changes anything here
 *   sequence     the last number drawn; writing it is what commits a submission
 *   first        a lower bound of the numbers that are still queued: a hint that saves listing the directory
 *   slots        as the computer's options said last: a number or `auto`
 *   queued/N     one line: id, cpus, walltime, submitted, name, program
 *   commands/N   shell text: the environment of the submission, its umask, where the script is
 *   running/N    one line of the wrapper's identity, then lines of what happened; its existence says that N was started
 *   history/K    append-only; what was submitted and what ended, for the numbers K*1000 to K*1000+999
 *   clock        the boot and the time of it, so that the time can be told without a process
 *   program-HASH what wrappers run
 *
 * Numbers are overwritten in place by one short write, entries become visible by the number, and ends by one appended
 * line before the entry is removed: whoever is killed between two of these leaves a consistent queue behind.
 */

const common = `
tab='\t'

read_stat() {
  stat_start=
  read -r stat_line 2>/dev/null <"/proc/$1/stat" || return 1
  case $stat_line in *') '*) ;; *) return 1 ;; esac
  set -- \${stat_line##*) }
  stat_state=$1 stat_start=\${20}
}

alive() {
  read_stat "$1" && [ "$stat_start" = "$2" ] && [ "$stat_state" != Z ] && [ "$stat_state" != X ]
}

read_computer() {
  read -r boot </proc/sys/kernel/random/boot_id && read -r host </proc/sys/kernel/hostname
}

read_number() {
  number_read=
  read -r number_read 2>/dev/null <"$1"
  case $number_read in '' | *[!0-9]*) return 1 ;; esac
}

write_number() {
  printf '%-15s\\n' "$2" 1<>"$1"
}

take_lock() {
  true 2>/dev/null >>lock || return 1
  exec 9>>lock
  if [ -z "$1" ]; then
    flock 9 || return 1
  else
    flock -E 75 -w "$1" 9 2>/dev/null
    case $? in
      0) ;;
      75) return 75 ;;
      *) flock 9 || return 1 ;;
    esac
  fi
  [ lock -ef /proc/self/fd/9 ]
}

read_queued() {
  queued_end=
  IFS=$tab read -r queued_id queued_cpus queued_walltime queued_submitted queued_name queued_program queued_end \\
    2>/dev/null <"queued/$1"
  [ "$queued_end" = . ]
}

read_running() {
  running_end= running_cancel= running_leader= running_leader_start= running_problem=
  [ -e "running/$1" ] || return 1
  {
    IFS=$tab read -r running_id running_cpus running_started running_host running_boot running_pid running_start running_end
    while IFS=$tab read -r line_word line_first line_second; do
      case $line_word in
        cancel) running_cancel=1 ;;
        leader) running_leader=$line_first running_leader_start=$line_second ;;
        problem) running_problem=$line_first ;;
      esac
    done
  } <"running/$1"
  [ "$running_end" = . ]
}

record_end() {
  printf 'ended\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t.\\n' "$queued_id" "$2" "$3" "$queued_cpus" \\
    "$queued_walltime" "$queued_submitted" "\${4:--}" "$now" "$queued_name" "\${5:--}" >>"history/$(($1 / 1000))"
}

# Without a process: the time since boot, and the time of boot as \`date\` told it last.
read_time() {
  [ -z "$now" ] || return 0
  clock_boot= clock_offset=
  read -r uptime rest </proc/uptime
  read -r clock_boot clock_offset clock_end 2>/dev/null <clock
  if [ "$clock_boot" = "$boot" ] && [ "$clock_end" = . ]; then
    now=$((clock_offset + \${uptime%.*}))
  else
    set_clock
  fi
}

set_clock() {
  read -r uptime rest </proc/uptime
  now=$(date +%s)
  printf '%s %s .\\n' "$boot" "$((now - \${uptime%.*}))" >clock
}

count_slots() {
  slots=auto
  read -r slots 2>/dev/null <slots
  case $slots in '' | *[!0-9]*) ;; *) return 0 ;; esac
  if read -r online 2>/dev/null </sys/devices/system/cpu/online; then
    slots=0
    set -f
    saved_ifs=$IFS IFS=,
    for range in $online; do slots=$((slots + \${range#*-} - \${range%-*} + 1)); done
    IFS=$saved_ifs
    set +f
  else
    slots=$(getconf _NPROCESSORS_ONLN) || slots=1
  fi
}

keep_slots() {
  slots_kept=
  read -r slots_kept 2>/dev/null <slots
  [ "$slots_kept" = "$1" ] || printf '%s\\n' "$1" >slots
}
`;

const pump = `
settle_lost() {
  read_queued "$1" || queued_id=$running_id queued_cpus=$running_cpus queued_walltime=- queued_submitted=- queued_name=-
  if ! grep -qsF "ended$tab$running_id$tab" "history/$(($1 / 1000))"; then
    lost_word=lost
    if [ "$running_boot" != "$boot" ]; then
      lost_word=rebooted
    else
      kill_left_over
    fi
    [ -z "$running_cancel" ] || lost_word=cancelled
    read_time
    record_end "$1" "$lost_word" - "$running_started" || return 1
  fi
  rm -f "running/$1" "queued/$1" "commands/$1"
}

kill_left_over() {
  if read_stat "$running_leader" && [ "$stat_start" != "$running_leader_start" ]; then running_leader=; fi
  if read_stat "$running_pid" && [ "$stat_start" != "$running_start" ]; then running_pid=; fi
  kill_members "$running_id" "$running_leader" "$running_pid"
}

used_slots() {
  used=0
  for running_file in running/*; do
    running_number=\${running_file#running/}
    case $running_number in *[!0-9]*) continue ;; esac
    if ! read_running "$running_number"; then
      rm -f "$running_file"
    elif [ "$running_host" != "$host" ]; then
      used=$((used + running_cpus))
    elif [ "$running_boot" = "$boot" ] && alive "$running_pid" "$running_start"; then
      used=$((used + running_cpus))
    else
      settle_lost "$running_number"
    fi
  done
}

# A wrapper has a clean environment already; whatever else starts a job has not.
start_job() {
  if [ ! -e "$queued_program" ]; then
    record_end "$1" failed - - "the queue's program is gone" && rm -f "queued/$1" "commands/$1"
    return 0
  fi
  set -- sh "$queued_program" "$work" "$1" "$now"
  [ -n "$wrapper" ] || set -- env -i PATH="$PATH" "$@"
  setsid "$@" \\
    </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- &
}

pump() {
  read_number sequence || return 1
  read_time
  last=$number_read
  count_slots
  used_slots
  first=1
  if read_number first; then first=$number_read; fi
  first_before=$first moving=1 number=$first
  while [ "$number" -le "$last" ]; do
    if [ -e "running/$number" ] || ! read_queued "$number"; then
      [ -z "$moving" ] || first=$((number + 1))
    else
      moving=
      if [ "$used" -gt 0 ] && [ $((used + queued_cpus)) -gt "$slots" ]; then break; fi
      start_job "$number" || break
      used=$((used + queued_cpus))
    fi
    number=$((number + 1))
  done
  [ "$first" = "$first_before" ] || write_number first "$first"
}
`;

const submit = `
refuse() {
  printf 'refused\\t%s\\t%s\\n' "$1" "$2"
  exit 1
}

next_number() {
  wherry_direct_number=1
  if read_number sequence; then
    wherry_direct_number=$((number_read + 1))
  elif [ -e sequence ]; then
    for wherry_direct_chunk in history/*; do
      wherry_direct_chunk=\${wherry_direct_chunk#history/}
      case $wherry_direct_chunk in *[!0-9]*) continue ;; esac
      if [ $((wherry_direct_chunk * 1000 + 1000)) -gt "$wherry_direct_number" ]; then
        wherry_direct_number=$((wherry_direct_chunk * 1000 + 1000))
      fi
    done
  fi
}

keep_command() {
  { export -p && printf 'umask ' && umask && printf '%s\\n' "$2"; } >"commands/$1"
}

install_program() {
  [ -e "$program" ] || { printf '%s' "$1" >"program.new" && mv -f program.new "$program"; }
}

# Nothing may be assigned before the environment is kept: a variable of this name may be part of it.
submit() {
  trap : HUP PIPE
  if [ ! -d "$3/.wherry-queue/running" ]; then
    (umask 077 && cd "$3/." && mkdir -p .wherry-queue/history .wherry-queue/queued .wherry-queue/commands .wherry-queue/running) ||
      refuse transient "the queue's directory cannot be made in the work directory"
  fi
  cd "$3/.wherry-queue" || refuse transient "the queue's directory cannot be entered"
  take_lock 4 || refuse transient "the queue is locked by another command"
  next_number
  keep_command "$wherry_direct_number" "$9" || refuse transient "the queue's directory cannot be written"
  umask 077
  work=$3 program=program-$4 number=$wherry_direct_number now= wrapper=
  read_computer || refuse transient "the kernel does not name this computer"
  keep_slots "$5"
  count_slots
  [ "$7" -le "$slots" ] || refuse permanent "the job asks for $7 slots, this computer has $slots"
  read_time
  read -r tag </proc/sys/kernel/random/uuid || refuse transient "the kernel gave no random number"
  id=$number.\${tag%%-*}
  {
    install_program "$1" &&
      printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t.\\n' "$id" "$7" "$8" "$now" "$6" "$program" >"queued/$number" &&
      printf 'submitted\\t%s\\t%s\\t.\\n' "$id" "$6" >>"history/$((number / 1000))" &&
      write_number sequence "$number"
  } || refuse transient "the queue's directory cannot be written"
  printf 'submitted\\t%s\\n' "$id"
  pump
  exit 0
}
`;

const enter = `
# A work directory that is not there is no empty queue: the file system may be away.
enter_queue() {
  cd "$work/." || exit 1
  [ -e .wherry-queue ] || return 1
  cd .wherry-queue || exit 1
}

give_up() {
  printf 'the queue is locked by another command\\n' >&2
  exit 1
}
`;

const cancel = `
cancel_one() {
  case $1 in '' | .* | *[!0-9a-f.]*) return 0 ;; esac
  number=\${1%%.*}
  case $number in *[!0-9]*) return 0 ;; esac
  if read_running "$number" && [ "$running_id" = "$1" ]; then
    if [ "$running_host" != "$host" ]; then
      printf 'elsewhere\\t%s\\t%s\\n' "$1" "$running_host"
      return 0
    fi
    printf 'cancel\\n' >>"running/$number" || return 1
    if [ "$running_boot" = "$boot" ] && alive "$running_pid" "$running_start"; then
      kill -s TERM "$running_pid" && kill -s CONT "$running_pid"
    fi
  elif [ ! -e "running/$number" ] && read_queued "$number" && [ "$queued_id" = "$1" ]; then
    read_time
    record_end "$number" cancelled - || return 1
    rm -f "queued/$number" "commands/$number"
  fi
  return 0
}

cancel() {
  if enter_queue; then
    take_lock 10 || give_up
    read_computer || exit 1
    while read -r id; do cancel_one "$id" || exit 1; done
    pump
  fi
  printf 'end\\t0\\n'
}
`;

// Finds everything by number, so that the cost goes with the jobs asked about and not with the length of the history.
const report = `
function number_of(id) { return substr(id, 1, index(id, ".") - 1) + 0 }
function say(id, word, code, cpus, walltime, submitted, started, ended, name, reason) {
  print "job", id, word, code, cpus, walltime, submitted, started, ended, name, reason
  count++
}
function read_live(number,   line, got, file, entry, run) {
  file = "queued/" number
  got = (getline line < file) > 0
  close(file)
  if (!got || split(line, entry, "\\t") != 7) return ""
  file = "running/" number
  got = (getline line < file) > 0
  close(file)
  if (!got || split(line, run, "\\t") != 8) {
    live_word = "queued"; live_started = "-"; live_reason = "-"
  } else {
    live_word = "running"; live_started = run[3]
    live_reason = run[4] == host ? "-" : "it was started on " run[4] " and cannot be watched from " host
  }
  live_cpus = entry[2]; live_walltime = entry[3]; live_submitted = entry[4]; live_name = entry[5]
  return entry[1]
}
function say_live(number,   id) {
  id = read_live(number)
  if (id != "") say(id, live_word, "-", live_cpus, live_walltime, live_submitted, live_started, "-", live_name, live_reason)
}
function want(id) {
  wanted[id] = 1
  chunks[int(number_of(id) / 1000)] = 1
}
BEGIN {
  OFS = "\\t"
  if (verb == "find") {
    getline name
    many = split(history, numbers, " ")
    for (i = 1; i <= many; i++) {
      file = "history/" numbers[i]
      while ((getline line < file) > 0)
        if (split(line, f, "\\t") == 4 && f[1] == "submitted" && f[3] == name && f[4] == ".") want(f[2])
      close(file)
    }
    for (id in wanted) if (number_of(id) <= last && read_live(number_of(id)) == id) say_live(number_of(id))
  } else {
    while ((getline line) > 0) if (line ~ /^[0-9]+[.][0-9a-f]+$/) want(line)
  }
  if (verb == "list") {
    many = split(running, numbers, " ")
    for (i = 1; i <= many; i++) if (numbers[i] < first) say_live(numbers[i])
    for (number = first; number <= last; number++) say_live(number)
  }
  for (chunk in chunks) {
    file = "history/" chunk
    while ((getline line < file) > 0)
      if (split(line, f, "\\t") == 12 && f[1] == "ended" && f[12] == "." && (f[2] in wanted)) {
        delete wanted[f[2]]
        say(f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10], f[11])
      }
    close(file)
  }
  print "end", count + 0
}
`;

const list = `
numbers_in() {
  numbers=
  for number_file in "$1"/*; do
    number_file=\${number_file#*/}
    case $number_file in *[!0-9]*) ;; *) numbers="$numbers $number_file" ;; esac
  done
}

report() {
  enter_queue || { printf 'end\\t0\\n' && return 0; }
  read_computer || exit 1
  first=1 last=0 running= history=
  if [ "$1" = list ]; then
    take_lock 10 || give_up
    keep_slots "$slots_asked"
    set_clock
    pump
    if read_number first; then first=$number_read; fi
    numbers_in running
    running=$numbers
    exec 9>&-
  elif [ "$1" = find ]; then
    numbers_in history
    history=$numbers
  fi
  if read_number sequence; then last=$number_read; fi
  awk -v verb="$1" -v first="$first" -v last="$last" -v running="$running" -v history="$history" -v host="$host" '${report}'
}
`;

const begin = `
umask 077
work=$3 slots_asked=$5 now= wrapper=
`;

const fromWrapper = `
work=$1 number=$2 started=$3 now= wrapper=1
run
exit
`;

const shared = [common, processes, pump].join('');

/** What a job's wrapper runs: a file in the queue directory, written there by the first submission. */
export const wrapperProgram: string = [shared, wrapper, fromWrapper].join('');

/** Names the file of this version of the wrapper's program. */
export const wrapperHash: string = createHash('sha256').update(wrapperProgram).digest('hex').slice(0, 12);

/** What the commands run; each carries no more than it needs, for the shell reads all of it every time. */
export const programs = {
  submit: `${shared}${submit}\nsubmit "$@"\n`,
  kill: `${shared}${enter}${cancel}${begin}cancel\nexit\n`,
  list: `${shared}${enter}${list}${begin}report "$2"\nexit\n`,
};
