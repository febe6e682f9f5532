# A task for rake that asks the application itself which database it has, and prints JSON as database_yml.rb does. What the
# application prints goes to standard error.
xtask_report = $stdout.dup
$stdout.reopen($stderr)

# Says at the very end, below rake's trace, what went wrong: the last lines are those that are shown.
at_exit do
  error = $!.is_a?(SystemExit) ? $!.cause : $!
  warn "", error.message.strip if error
end

Rake::Task.define_task("xtask:database" => "db:load_config") do
  require "json"
  name = ActiveRecord::Tasks::DatabaseTasks.env.to_s
  known = ActiveRecord::Base.configurations
  configs = known.respond_to?(:configurations) ? known.configurations : []
  configs = configs.select { |config| config.respond_to?(:configuration_hash) && config.env_name == name && !config.replica? }
  config = configs.find { |candidate| candidate.name == "primary" } || configs.first
  raise "the application has no database for `#{name}`, or an Active Record before 6.1" unless config
  plain = config.configuration_hash.select do |_, value|
    [String, Symbol, Numeric, true, false].any? { |kind| kind === value }
  end
  xtask_report.puts JSON.generate("settings" => plain.map { |key, value| [key.to_s, value.to_s] }.to_h)
end
