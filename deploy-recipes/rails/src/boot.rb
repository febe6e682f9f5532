# Starts the application as a web server does, with all of its classes, and serves nothing.
Rake::Task.define_task("xtask:boot") do
  require "rack"
  Rack::Builder.parse_file("config.ru")
  Rails.application.eager_load!
end

# Says at the very end, below rake's trace, what went wrong: the last lines are those that are shown.
at_exit do
  error = $!.is_a?(SystemExit) ? $!.cause : $!
  warn "", error.message.strip if error
end
