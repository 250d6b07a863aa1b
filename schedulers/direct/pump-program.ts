/** Reading and changing the queue's files, and telling processes apart. Every part of the program builds on it. */
export const common = `
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

/** Settles what has been lost and starts what fits. Runs with the lock held. */
export const pump = `
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
