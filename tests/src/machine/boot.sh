# boot.sh FOLDER PORT: a machine with a real systemd, journald, logind, D-Bus and sshd, made of namespaces; needs root.
#
# It has this machine's programs below overlays of its own, and its network; sshd listens on 127.0.0.1:PORT. FOLDER/shown is
# seen inside by the same path. It runs until the input ends, whatever has ended that, and then nothing of it is left. Nothing is
# mounted where the rest of this machine could see it.
set -eu
folder=$1 port=$2 script=$0
group=${folder##*/}

# Runs CODE where $C is the machine's cgroup, of a hierarchy that nobody else has to have mounted.
with_group() {
  unshare --mount --propagation private sh -euc 'mkdir -p "$1/cgroup"; mount -t cgroup2 none "$1/cgroup"; C=$1/cgroup/$2; eval "$3"' \
    sh "$folder" "$group" "$1"
}

# The disk's differences from this machine's, before the first program of it runs.
furnish() {
  cd etc
  rm -rf machine-id fstab ssh/ssh_host_* ssh/sshd_config.d/* systemd/system/*.target.wants/* ../usr/sbin/policy-rc.d
  rm -rf ../var/log/journal ../var/lib/systemd/linger
  tr -d - </proc/sys/kernel/random/uuid >machine-id
  echo machine >hostname
  printf '127.0.0.1 localhost machine\n' >hosts
  mkdir -p ../var/log/journal ../var/lib/systemd/linger
  cp "$folder/host_key" "$folder/host_key.pub" ssh/
  printf '%s\n' "Port $port" 'ListenAddress 127.0.0.1' 'HostKey /etc/ssh/host_key' 'UsePAM yes' 'PasswordAuthentication no' \
    'KbdInteractiveAuthentication no' 'PrintMotd no' 'UseDNS no' 'MaxStartups 200' 'MaxSessions 50' >ssh/sshd_config
  ln -s /lib/systemd/system/ssh.service systemd/system/multi-user.target.wants/ssh.service
  cd ..
}

# The first process of the machine, in namespaces of its own: it builds the root and becomes systemd.
init() {
  root=$folder/root
  mount -t tmpfs -o mode=755,size=4m none "$root"
  cd "$root"
  for link in /bin /sbin /lib*; do [ ! -L "$link" ] || cp -P "$link" .; done
  for each in etc usr var opt srv; do
    mkdir -p "$each" "$folder/upper/$each" "$folder/work/$each"
    mount -t overlay none -o "lowerdir=/$each,upperdir=$folder/upper/$each,workdir=$folder/work/$each" "$each"
  done
  mkdir -p home root proc sys dev run tmp mnt media old
  mount -t tmpfs -o mode=755,nosuid,nodev none run
  mount -t tmpfs -o mode=1777,nosuid,nodev none tmp
  mount -t tmpfs -o mode=700 none root
  # Read-only as in a container, since they are the kernel's: neither udevd nor sysctl of this machine's.
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount --bind proc/sys proc/sys
  cat proc/sys/kernel/random/uuid >run/.boot_id
  mount --bind run/.boot_id proc/sys/kernel/random/boot_id
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755,nosuid none dev
  mkdir dev/pts dev/shm dev/mqueue
  for each in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${each%:*}" c 1 "${each#*:}"; done
  mknod -m 666 dev/tty c 5 0
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
  mount -t tmpfs -o mode=1777,nosuid,nodev none dev/shm
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
  furnish
  mkdir -p "./$folder/shown"
  mount --bind "$folder/shown" "./$folder/shown"
  hostname machine
  pivot_root . old
  umount -l /old
  rmdir /old
  mount --make-rshared /
  exec env -i container=lxc PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LANG=C.UTF-8 \
    setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio /lib/systemd/systemd --system --unit=multi-user.target
}

if [ "${3-}" = init ]; then init; fi
trap '' HUP INT
with_group 'mkdir -p "$C"'
# First into the group, then into namespaces, of which that group is the root; then out of it again.
(
  me=$(exec sh -c 'echo $PPID')
  with_group "echo $me >\"\$C/cgroup.procs\""
  exec unshare --fork --pid --mount --uts --ipc --cgroup --propagation private sh "$script" "$folder" "$port" init </dev/null
) >"$folder/console" 2>&1 &
outside=$!
tries=0
until pid=$(pgrep -P "$outside" -x systemd); do
  if ! kill -0 "$outside" 2>/dev/null || [ "$tries" -gt 200 ]; then break; fi
  tries=$((tries + 1))
  sleep 0.05
done
with_group "echo $outside >\"\$C/../cgroup.procs\"" || :
echo "${pid:-none}"
exec >&-
cat >/dev/null
with_group 'echo 1 >"$C/cgroup.kill"'
wait "$outside" || :
with_group 'sleep 0.1; find "$C" -depth -type d -exec rmdir {} +'
rm -rf --one-file-system "$folder"
