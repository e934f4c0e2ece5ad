# apt helpers, sourced by the other scripts. Everything is derived from the machine's own apt configuration.

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_update() {
  [ -n "${apt_updated:-}" ] && return
  as_root apt-get update -qq >&2
  apt_updated=yes
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# The version of package $1 in this Debian release's backports, enabling them if the release has them:
# the source is this machine's own mirror and signing key, with "-backports" behind the release's name.
backports_version() {
  local codename mirror key list=/etc/apt/sources.list.d/analogkan-backports.list
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [ "$codename" = bookworm ] || return 1 # later releases have KLU in main
  if ! apt-cache policy "$1" | grep -q "$codename-backports"; then
    mirror=$(apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(CREATED_BY)|$(REPO_URI)' |
      awk -F'|' -v c="$codename" '$1 == c && $2 == "main" && $3 == "Packages" { print $4; exit }')
    [ -n "$mirror" ] || return 1
    key=$(apt_signing_key "$mirror")
    echo "deb ${key:+[signed-by=$key] }$mirror $codename-backports main" | as_root tee "$list" >/dev/null
    if ! as_root apt-get update -qq >&2; then
      as_root rm -f "$list"
      as_root apt-get update -qq >&2
      return 1
    fi
  fi
  apt-cache madison "$1" | awk -v s="$codename-backports/" 'index($0, s) { print $3; found = 1; exit } END { exit !found }'
}

# The Signed-By of the source whose URI is $1, if it names a key file.
apt_signing_key() {
  local uri=${1%/}
  awk -v uri="$uri" 'BEGIN { RS = ""; FS = "\n" }
    index($0, uri) { for (i = 1; i <= NF; i++) if ($i ~ /^Signed-By: *\//) { sub(/^Signed-By: */, "", $i); print $i; exit } }' \
    /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1
}
