# Three tasks for rake, which compare a release's migrations with those that the database says were applied. They write
# their findings to standard output, where nothing else arrives: what the application prints goes to standard error.
xtask_report = $stdout.dup
$stdout.reopen($stderr)

# Says at the very end, below rake's trace, what went wrong: the last lines are those that are shown.
xtask_done = []
at_exit do
  error = $!.is_a?(SystemExit) ? $!.cause : $!
  warn "", error.message.strip if error
  warn "in the database already: #{xtask_done.join(", ")}" if error && xtask_done.any?
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
      block.call(config, context)
    end
  ensure
    base.establish_connection(name.to_sym)
  end
end

# A migration as it is shown.
xtask_shown = lambda { |migration| "#{migration.version} #{migration.name}" }

# The schema file of a database that has no migrations, as long as nothing is in that database: Rails' own for its queue,
# cache and cable are of this kind.
xtask_schema = lambda do |config, context|
  next unless config.respond_to?(:name) && context.migrations.empty? && context.get_all_versions.empty?
  next if (ActiveRecord::Base.connection.tables - %w[schema_migrations ar_internal_metadata]).any?
  tasks, format = ActiveRecord::Tasks::DatabaseTasks, ActiveRecord::Base.schema_format
  is_new = tasks.respond_to?(:schema_dump_path)
  file = is_new ? tasks.schema_dump_path(config) : tasks.dump_filename(config.name, format)
  file if file && File.file?(file)
end

# The versions that the database has, and the release doesn't know. What the live release doesn't know either (a plugin's
# own numbers) is no news, and what is older than all that the release has was cleared away from it.
xtask_newer = lambda do |context|
  folders = Array(context.migrations_paths).map { |path| path.to_s.sub("#{Dir.pwd}/", "") } + ["db/migrate", "db/*_migrate"]
  folders = folders.uniq.reject { |folder| folder.start_with?("/") }
  known = context.migrations.map(&:version)
  versions = (context.get_all_versions - known).reject { |version| known.any? && version < known.min }
  versions.sort.map do |version|
    file = folders.map { |folder| Dir["../../current/#{folder}/**/#{version}_*.rb"].first }.compact.first
    file && "#{version} #{File.basename(file, ".rb").split("_", 2).last}"
  end.compact
end

# Where newer migrations are refused, they are all that is told.
xtask_pending = []
xtask_empty = []
Rake::Task.define_task("xtask:pending" => "db:load_config") do
  newer = []
  xtask_databases.call do |config, context|
    applied = context.get_all_versions
    xtask_pending.concat(context.migrations.reject { |migration| applied.include?(migration.version) }.map(&xtask_shown))
    file = xtask_schema.call(config, context)
    xtask_empty << config if file
    xtask_pending << "#{File.basename(file)} for the database #{config.name}, which is empty" if file
    newer.concat(xtask_newer.call(context)) if ENV["XTASK_NEWER"] == "refuse"
  end
  xtask_pending.clear if newer.any?
  newer.each { |line| xtask_report.puts "newer #{line}" }
  xtask_report.puts xtask_pending
end

Rake::Task.define_task("xtask:migrate" => "xtask:pending") do
  next if xtask_pending.empty?
  begin
    xtask_empty.each { |config| ActiveRecord::Tasks::DatabaseTasks.load_schema(config) }
    ActiveRecord::Base.establish_connection(ActiveRecord::Tasks::DatabaseTasks.env.to_sym)
    Rake::Task["db:migrate"].invoke
  rescue StandardError, ScriptError => error
    begin
      xtask_databases.call do |_, context|
        applied = context.get_all_versions
        done = context.migrations.select { |migration| applied.include?(migration.version) }.map(&xtask_shown)
        xtask_done.concat(done & xtask_pending)
      end
    rescue StandardError
      warn "which migrations are in the database already can't be found out"
    end
    raise error
  end
end

Rake::Task.define_task("xtask:newer" => "db:load_config") do
  xtask_databases.call { |_, context| xtask_report.puts xtask_newer.call(context) }
end
