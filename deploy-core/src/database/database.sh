# Passes its input on, and reports its length and its SHA-256.
database_measure() {
  exec 7>&1
  database_sums=$({ {
    tee /dev/fd/6 /dev/fd/8 6>&1 >&7 7>&- | { sha256sum 2>/dev/null || shasum -a 256; } >&5 7>&-
  } 8>&1 | wc -c >&5 7>&-; } 5>&1)
  exec 7>&-
  for database_sum in $database_sums; do
    case $database_sum in
      -) ;;
      *[!0-9]*) deploy_fact sent_sha256 "$database_sum" ;;
      ????????????????????????????????????????????????????????????????) deploy_fact sent_sha256 "$database_sum" ;;
      *) deploy_fact sent_bytes "$database_sum" ;;
    esac
  done
}
# Writes its input to the file $1. What can't be written is no dump.
database_write() {
  cat >"$1" || deploy_fail "the dump can't be written to $1" 'is the disk full? see df -h on that machine'
}
# Reports which programs that pack there are.
database_packers() {
  database_found=''
  for database_packer in zstd gzip; do
    if command -v "$database_packer" >/dev/null 2>&1; then database_found="$database_found $database_packer"; fi
  done
  command -v tee >/dev/null 2>&1 && [ -e /dev/fd/0 ] || database_found=''
  deploy_fact packers "$database_found"
}
# Makes the private folder $1 below the first of the other folders that can be written to. Sets $folder.
database_folder() {
  database_name=$1
  shift
  for database_base; do
    if [ -d "$database_base" ] && ( umask 077; mkdir -- "$database_base/$database_name" ) 2>/dev/null; then
      folder=$database_base/$database_name
      deploy_fact folder "$folder"
      deploy_fact room "$(df -Pk -- "$folder" 2>/dev/null | awk 'NR == 2 { print $4 }')"
      return
    fi
  done
  deploy_fail "none of the folders $* can be written to"
}
