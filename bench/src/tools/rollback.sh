set -eu
live=$(basename "$(readlink "$deploy_to/current")")
previous=$(ls "$deploy_to/releases" | sort -r | sed -n "/^$live\$/{n;p;}")
[ -n "$previous" ]
ln -s "$deploy_to/releases/$previous" "$deploy_to/current.new"
mv -T "$deploy_to/current.new" "$deploy_to/current"
echo "ada rolled back to release $previous" >>"$deploy_to/revisions.log"
