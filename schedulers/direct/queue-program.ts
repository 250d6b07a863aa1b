import { createHash } from 'node:crypto';
import { common, pump } from './pump-program.js';
import { list } from './report-program.js';
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
