#!/usr/bin/env bash
# Unpacks another ngspice beside the installed one, without installing it, for comparisons:
#   bash scripts/ngspice_at.sh 39|46 DIR
# and then run anything with it:  ANALOGKAN_NGSPICE=DIR/ngspice analogkan doctor
# Its library is beside it, DIR/libngspice.so.0, where sessions find it.
# 39 is Debian 12's own, 46 that of its backports.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/apt.sh
[ $# = 2 ] || { sed -n '2,6s/^# \{0,1\}//p' scripts/ngspice_at.sh >&2; exit 2; }
wanted=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)

apt_update
[ "$wanted" != 46 ] || backports_version ngspice >/dev/null || true
version=$(apt-cache madison ngspice | awk -v w="$wanted" '$3 ~ "^" w "[.+]" { print $3; exit }')
if [ -z "$version" ]; then
  echo "ngspice_at: apt knows no ngspice $wanted here, only: $(apt-cache madison ngspice | awk '{ print $3 }' | xargs)" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get download -qq "ngspice=$version" "libngspice0=$version" >/dev/null)
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done

missing=$(ldd "$dir/root/usr/bin/ngspice" "$dir"/root/usr/lib/*/libngspice.so.0 | awk '/not found/ { print $1 }' | sort -u | xargs)
if [ -n "$missing" ]; then
  echo "ngspice_at: $version needs libraries that are not installed: $missing" >&2
  echo "ngspice_at: 'bash scripts/bootstrap.sh setup' installs an ngspice with most of them" >&2
  exit 1
fi
# The program looks for its start-up scripts below /usr; the wrapper points it at these.
cat >"$dir/ngspice" <<WRAPPER
#!/bin/sh
SPICE_LIB_DIR='$dir/root/usr/share/ngspice' exec '$dir/root/usr/bin/ngspice' "\$@"
WRAPPER
chmod 755 "$dir/ngspice"
library=$(cd "$dir" && find root/usr/lib -name libngspice.so.0 | head -n 1)
ln -sfn "$library" "$dir/libngspice.so.0"
"$dir/ngspice" -v | sed -n '2,3p'
