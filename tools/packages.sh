# SPDX-License-Identifier: Apache-2.0
# Debian packages, for tools/quickstart and tools/check to source: which ones, and how to get them.
# Installs only what is missing, asks nothing, and leaves no service running.

packages_build=(gcc libc6-dev cmake ninja-build pkg-config libzstd-dev libdw-dev libelf-dev
  libjansson-dev uthash-dev libxxhash-dev libiberty-dev libunwind-dev check)
packages_test=(g++ clang libclang-rt-14-dev clang-tidy clang-format valgrind strace heaptrack gdb git
  make binutils libc6-dbg procps python3 perl zstd man-db redis-server redis-tools nginx-light
  memcached haproxy nodejs wrk mariadb-server sysbench postgresql rocksdb-tools sqlite3 pigz
  libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 libeatmydata1 ripgrep fd-find)
# For `tools/check --long` only: large, and no test of the short check has use for them.
packages_long=(libpython3.11-testsuite openssl xz-utils bzip2 lighttpd mosquitto mosquitto-clients
  unbound dnsmasq-base varnish erlang-base ruby php-cli gawk lua5.4 guile-3.0 stunnel4 h2o
  openjdk-17-jre-headless sbcl apache2-bin tmux)
command -v npm >/dev/null || packages_long+=(npm)
packages_bench=(gcc libc6-dev git heaptrack lttng-tools liblttng-ust1 babeltrace2 valgrind
  redis-server redis-tools rocksdb-tools nginx-light wrk memcached pigz python3 util-linux zstd)
# Services that come with the packages above. Tests start their own.
packages_services=(redis-server.service nginx.service memcached.service haproxy.service
  mariadb.service postgresql.service lttng-sessiond.service lighttpd.service mosquitto.service
  unbound.service varnish.service stunnel4.service h2o.service)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# packages_missing NAME...: those that are not installed, one a line.
packages_missing() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# Debian starts a service as soon as it is installed, unless this file says no.
services_guard() {
  local policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] && return
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
}

services_release() {
  [ "$(trap -p EXIT)" ] || return 0
  as_root rm -f /usr/sbin/policy-rc.d
  trap - EXIT
}

# Keeps the services that were installed just now from starting with the machine.
services_disable() {
  command -v systemctl >/dev/null || return 0
  local service
  for service in "${packages_services[@]}"; do
    case " $* " in
      *" ${service%.service} "* | *" ${service%.service}-light "* | *" ${service%.service}-server "*)
        as_root systemctl disable --quiet "$service" 2>/dev/null || true ;;
    esac
  done
}

# packages_install LOG NAME...: what of them is missing; what apt says goes to LOG.
packages_install() {
  local log=$1
  shift
  if ! command -v dpkg-query >/dev/null; then
    echo "${0##*/}: this is no Debian; what is needed there is called: $*" >&2
    return 0
  fi
  local missing
  mapfile -t missing < <(packages_missing "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "${0##*/}: these packages are missing, and need root or sudo without a password to be" \
      "installed: ${missing[*]}" >&2
    return 1
  fi
  echo "installing ${missing[*]}" >&2
  services_guard
  local environment=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8)
  if ! { as_root "${environment[@]}" apt-get update &&
    as_root "${environment[@]}" apt-get install -y --no-install-recommends \
      -o DPkg::Lock::Timeout=300 "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "${0##*/}: apt-get failed; all it said is in $log" >&2
    services_release
    return 1
  fi
  services_disable "${missing[@]}"
  services_release
}
