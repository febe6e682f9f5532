set -eu
releases=$deploy_to/releases
shared=$deploy_to/shared
release=$releases/$stamp
umask 022
mkdir -p "$releases" "$shared"
if [ -d "$deploy_to/repo" ]; then
    git --git-dir="$deploy_to/repo" fetch --quiet --prune origin
else
    git clone --quiet --mirror "$repo_url" "$deploy_to/repo"
fi
mkdir "$release"
git --git-dir="$deploy_to/repo" archive main | tar -x -f - -C "$release"
git --git-dir="$deploy_to/repo" rev-parse main >"$release/REVISION"
for path in $linked_files; do
    [ -e "$shared/$path" ]
    mkdir -p "$release/$(dirname "$path")"
    ln -sf "$shared/$path" "$release/$path"
done
for path in $linked_dirs; do
    mkdir -p "$shared/$path" "$release/$(dirname "$path")"
    rm -rf -- "${release:?}/$path"
    ln -s "$shared/$path" "$release/$path"
done
ln -s "$release" "$deploy_to/current.new"
mv -T "$deploy_to/current.new" "$deploy_to/current"
cd "$releases"
ls | sort -r | tail -n "+$((keep + 1))" | xargs rm -rf --
echo "Branch main (at $(cut -c 1-7 "$release/REVISION")) deployed as release $stamp by ada" >>"$deploy_to/revisions.log"
