//! A task that runs as another user and wants to be believed: it looks for the words of our markers in everything that it
//! can read, and says with them that it, and all that comes after it, is done. Then it fails.

use std::os::unix::fs::PermissionsExt;

use e2e::Project;

use super::scene::{Sum, deploys_again, lives, revise, shop_of, step};

/// Reads memory, environments, command lines and files of every process that it may, and speaks through their files too.
const PRY: &str = r##"
WORD = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/n
others = Dir.children("/proc").grep(/\A\d+\z/).map(&:to_i) - [Process.pid]
words = []
others.each do |pid|
  %w[environ cmdline].each { |name| words.concat(File.binread("/proc/#{pid}/#{name}").scan(WORD)) rescue nil }
  maps = File.readlines("/proc/#{pid}/maps") rescue []
  maps.select { |line| line.split[1].start_with?("rw") }.each do |line|
    from, to = line[/\A\S+/].split("-").map(&:hex)
    File.open("/proc/#{pid}/mem", "rb") { |mem| mem.seek(from); words.concat(mem.read([to - from, 1 << 24].min).scan(WORD)) } rescue nil
  end
end
puts "pried #{words.uniq.size > 0}"
$stdout.flush
first = ARGV.fetch(0).to_i
lie = words.uniq.map do |word|
  marks = (first..first + 20).map { |task| "e #{task} 0\n\x1e#{word} b #{task + 1}" } + ["z 1 0", "q 0"]
  marks.map { |mark| "\x1e#{word} #{mark}\n" }.join
end.join
$stdout.write(lie)
$stderr.write(lie)
[$stdout, $stderr].each(&:flush)
others.each do |pid|
  (Dir.children("/proc/#{pid}/fd") rescue []).each do |fd|
    File.open("/proc/#{pid}/fd/#{fd}", File::WRONLY | File::NONBLOCK) { |file| file.write_nonblock(lie) if file.stat.pipe? } rescue nil
  end
end
exit 1
"##;

fn project() -> Project {
    let mut project = shop_of(Project::as_ordinary_user(&[("app1", "app"), ("app2", "app web")]));
    project.user().expect("root makes one").may_sudo(false);
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(project.sandbox.path(), open).expect("the owner may");
    project.repo.write("pry.rb", PRY).commit("Add a way to pry");
    revise(&project, "one");
    project.xtask("deploy staging").success();
    project.top("failed_releases = \"remove\"");
    project
}

#[test]
fn a_task_of_another_user_is_not_believed_whatever_it_finds() {
    if !e2e::is_root() {
        return;
    }
    let mut project = project();
    let mut sum = Sum::default();
    let before = lives(&project).unwrap();
    for first in (0..9).step_by(step(5)) {
        let run = format!("ruby pry.rb {first}");
        project.no_tables();
        project.tables(&format!("[tasks.\"pry:it\"]\nrun = \"{run}\"\nas = \"nobody\"\nafter = \"deploy:updated\""));
        revise(&project, &format!("pried {first}"));
        let output = project.xtask("deploy staging --verbose").fails();
        let text = output.to_string();
        assert!(text.contains("pried true"), "the attack finds something to lie with:\n{text}");
        let result = match lives(&project) {
            Ok(after) if after != before => Err(format!("something else is live\n{text}")),
            Ok(_) if !text.contains("app1") => Err(format!("the server isn't named\n{text}")),
            other => other.map(drop),
        };
        sum.add(&run, result);
    }
    sum.tell("a task of another user pries");
    project.no_tables();
    deploys_again(&project, "after all").unwrap();
}
