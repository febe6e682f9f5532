# Three tasks for rake, which compare a release's migrations with those that the database says were applied. They write
# their findings to standard output, where nothing else arrives: what the application prints goes to standard error.
xtask_report = $stdout.dup
$stdout.reopen($stderr)

# Says at the very end, below rake's trace, what went wrong: the last lines are those that are shown.
at_exit do
  error = $!.is_a?(SystemExit) ? $!.cause : $!
  warn "", error.message.strip if error
end

# Calls the block for each database of the environment. The names are those of Rails 5.2 and later.
xtask_databases = lambda do |&block|
  base = ActiveRecord::Base
  name = ActiveRecord::Tasks::DatabaseTasks.env.to_s
  known = base.configurations
  configs = known.respond_to?(:configs_for) ? known.configs_for(env_name: name) : [name.to_sym]
  begin
    configs.each do |config|
      is_old = config.respond_to?(:config) && !config.respond_to?(:configuration_hash)
      base.establish_connection(is_old ? config.config : config)
      pool = base.connection_pool
      context = pool.respond_to?(:migration_context) ? pool.migration_context : base.connection.migration_context
      block.call(context.migrations, context.get_all_versions)
    end
  ensure
    base.establish_connection(name.to_sym)
  end
end

xtask_pending = 0
Rake::Task.define_task("xtask:pending" => "db:load_config") do
  xtask_databases.call do |migrations, applied|
    pending = migrations.reject { |migration| applied.include?(migration.version) }
    pending.each { |migration| xtask_report.puts "#{migration.version} #{migration.name}" }
    xtask_pending += pending.size
  end
end

Rake::Task.define_task("xtask:migrate" => "xtask:pending") do
  Rake::Task["db:migrate"].invoke if xtask_pending > 0
end

# What is older than the oldest migration was cleared away from the application, and is no news.
Rake::Task.define_task("xtask:newer" => "db:load_config") do
  xtask_databases.call do |migrations, applied|
    known = migrations.map(&:version)
    newer = applied.reject { |version| known.include?(version) || (known.any? && version < known.min) }
    newer.sort.each do |version|
      file = Dir["../*/db/*migrate/#{version}_*.rb"].first
      xtask_report.puts [version, file && File.basename(file, ".rb").split("_", 2).last].compact.join(" ")
    end
  end
end
