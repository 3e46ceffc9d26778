#!/bin/sh
# Installs what tools/packages.txt (or another list) names, if anything of it is missing. Needs root or sudo only then.
#   tools/install_packages.sh [LIST]
set -eu
list=$(grep -v '^#' "${1:-$(dirname "$0")/packages.txt}")
missing=
for package in $list; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
root=
[ "$(id -u)" -eq 0 ] || root=sudo
echo "installing Debian packages:$missing"
$root apt-get update -qq
# shellcheck disable=SC2086  # a list of words
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
