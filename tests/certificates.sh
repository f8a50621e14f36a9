#!/usr/bin/env bash
# Certificates for tests: an authority, and what it signs for loopback. Writes OUT.crt and OUT.key.
#   certificates.sh ca OUT
#   certificates.sh issue CA OUT NAME [DAYS]   CA as given to `ca`; -1 days: has expired
set -euo pipefail
new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
case $1 in
ca)
  openssl req -x509 "${new[@]}" -keyout "$2.key" -out "$2.crt" -days 1 -subj "/CN=authority of a test"
  ;;
issue)
  openssl req -new "${new[@]}" -keyout "$3.key.new" -subj "/CN=$4" \
    -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" |
    openssl x509 -req -CA "$2.crt" -CAkey "$2.key" -days "${5:-1}" -copy_extensions copy -out "$3.crt.new"
  mv "$3.key.new" "$3.key"
  mv "$3.crt.new" "$3.crt"
  ;;
esac 2>/dev/null
