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

/** Answers about jobs: all that are live, and those asked about that have ended. */
export const list = `
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
