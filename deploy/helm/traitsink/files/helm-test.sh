# The steps of `helm test`: an event with a new value is made, sent, and read from Redis. Needs a
# POSIX shell, BusyBox's wget, and redis-cli.
#
#   make   writes $WORK/value and $WORK/event.json
#   post   sends the event to the HTTP source at $URL with the first write key of $WRITE_KEY
#   read   waits until a server of $SERVERS (host:port, separated by blanks) has the value, and
#          removes the profile; with $SENTINELS and $MASTER these say which server that is
set -eu

# cli HOST:PORT ARGUMENT...: redis-cli with the login and TLS of the worker, from $CLI_OPTIONS.
cli() {
  host=${1%:*} port=${1##*:}
  shift
  # Options are words without blanks.
  # shellcheck disable=SC2086
  redis-cli -h "$host" -p "$port" ${CLI_OPTIONS:-} "$@"
}

# The servers to ask, one a line.
servers() {
  for server in ${SERVERS:-}; do echo "$server"; done
  # An empty password would be sent, too.
  unset REDISCLI_AUTH
  [ -z "${SENTINEL_AUTH:-}" ] || export REDISCLI_AUTH="$SENTINEL_AUTH"
  for sentinel in ${SENTINELS:-}; do
    redis-cli -h "${sentinel%:*}" -p "${sentinel##*:}" SENTINEL get-master-addr-by-name "$MASTER" |
      tr '\n' ' ' | sed -n 's/^\([^ ]*\) \([0-9]*\) *$/\1:\2/p'
  done
}

case $1 in
  make)
    value=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    printf '%s' "$value" >"$WORK/value"
    printf '{"type":"identify","userId":"%s","traits":{"helm_test":"%s"}}\n' "$USER_ID" "$value" \
      >"$WORK/event.json"
    ;;
  post)
    key=$(printf '%s' "$WRITE_KEY" | head -n 1 | cut -d , -f 1)
    login=$(printf '%s:' "$key" | base64 | tr -d '\n')
    for attempt in 1 2 3 4 5 6; do
      answer=$(wget -q -O - --header "Authorization: Basic $login" \
        --post-data "$(cat "$WORK/event.json")" "$URL/v1/identify") &&
        [ "$answer" = OK ] && exit 0
      echo "attempt $attempt: $URL did not confirm the event" >&2
      sleep 5
    done
    exit 1
    ;;
  read)
    want=$(cat "$WORK/value")
    [ -z "${PASSWORD_FILE:-}" ] || REDISCLI_AUTH=$(cat "$PASSWORD_FILE")
    [ -z "${REDISCLI_AUTH:-}" ] || export REDISCLI_AUTH
    for attempt in 1 2 3 4 5 6; do
      for server in $(servers); do
        found=$(cli "$server" HGET "$KEY" helm_test || true)
        [ "$found" = "$want" ] || continue
        echo "$KEY is in Redis at $server"
        cli "$server" DEL "$KEY" || true
        exit 0
      done
      echo "attempt $attempt: no server has $KEY yet" >&2
      sleep 2
    done
    exit 1
    ;;
esac
