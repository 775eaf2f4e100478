# Starts one container that is given one secret; run.sh and engine.sh source this file.
#
# The secret is in no argument, in no file and in no answer of `docker inspect`: it goes once through
# a named pipe to a shell in the container, which exports it and then becomes the worker.
# shellcheck shell=bash

readonly SETTINGS="${CURATION_SETTINGS:-/etc/curation/instance.env}"
# Memory, not disk, on every machine with systemd.
readonly FOLDER="${XDG_RUNTIME_DIR:-/run}"
readonly HANDOVER_S=30

read_settings() {
  if [ ! -r "$SETTINGS" ]; then
    echo "There are no settings in $SETTINGS. See docs/deploy.md, \"The instance\"." >&2
    exit 78
  fi
  set -a
  # shellcheck source=/dev/null
  . "$SETTINGS"
  set +a
  warn_unwatched
}

warn_unwatched() {
  if ! systemctl is-active --quiet curation-watchdog.timer 2>/dev/null; then
    echo "WARNING: the watchdog is not armed. If the pipeline dies, nothing stops this instance." \
      "Run install.sh as root; see docs/deploy.md, \"The watchdog\"." >&2
  fi
}

# start_container NAME IMAGE VARIABLE SECRET_ID [DOCKER_OPTION...] [-- COMMAND...]
# Does nothing if it runs already, however many start it at once. Returns when it has its secret.
start_container() {
  local name=$1 image=$2 variable=$3 secret_id=$4 secret
  shift 4
  exec 9>"$FOLDER/$name.lock"
  # Whoever comes second waits for the first, and so knows whether that one went well.
  flock 9
  if is_running "$name"; then
    echo "$name runs already."
    return
  fi
  secret=$(aws secretsmanager get-secret-value --secret-id "$secret_id" \
    --query SecretString --output text)
  docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image"
  # One that was cut off with the power would keep the name.
  docker rm --force "$name" >/dev/null 2>&1 || true
  make_pipe "$name"
  run_container "$name" "$image" "$variable" "$@"
  if ! printf '%s\n' "$secret" | timeout "$HANDOVER_S" tee "$pipe" >/dev/null; then
    docker rm --force "$name" >/dev/null 2>&1 || true
    echo "$name did not take its secret within $HANDOVER_S s. Try: docker run --rm $image" >&2
    return 1
  fi
  echo "$name has been started."
}

is_running() {
  [ "$(docker container inspect --format '{{.State.Running}}' "$1" 2>/dev/null)" = true ]
}

make_pipe() {
  local folder
  folder=$(mktemp -d "$FOLDER/$1.XXXXXX")
  # shellcheck disable=SC2064  # the folder that it is now
  trap "rm -rf '$folder'" EXIT
  pipe=$folder/secret
  # Whoever the worker runs as may read it; the folder keeps the rest of the machine out.
  mkfifo --mode 0644 "$pipe"
}

run_container() {
  local name=$1 image=$2 variable=$3
  local -a options=() command=()
  shift 3
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  command=("${@:2}")
  # The image's own, because a new entry point sets both aside.
  [ ${#command[@]} -gt 0 ] || mapfile -t command < <(own_command "$image")
  docker run --detach --rm --name "$name" --entrypoint sh "${options[@]}" \
    --log-opt max-size=10m --log-opt max-file=5 \
    --mount "type=bind,src=$pipe,dst=/run/secret,readonly" "$image" \
    -c "IFS= read -r $variable </run/secret && export $variable && exec \"\$@\"" sh \
    "${command[@]}" >/dev/null 9>&-
}

own_command() {
  docker image inspect "$1" --format \
    '{{range .Config.Entrypoint}}{{println .}}{{end}}{{range .Config.Cmd}}{{println .}}{{end}}' |
    sed '/^$/d'
}
