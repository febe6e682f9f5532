# For the tests: what database_yml.rb says of each case, and what Active Record itself hands to libpq. Cases and answers are
# JSON, on standard input and output.
require "erb"
require "fileutils"
require "json"
require "uri"
require "yaml"

input = JSON.parse($stdin.read)
Dir.chdir(input["folder"])
Dir.mkdir("config")
untouched = ENV.to_h.reject { |name, _| name.end_with?("DATABASE_URL") || %w[RAILS_ENV RACK_ENV].include?(name) }

prepare = lambda do |test|
  ENV.replace(untouched.merge("RAILS_ENV" => test["environment"]).merge(test["variables"]))
  FileUtils.rm_rf(Dir.glob("{*,.env,config/*}", File::FNM_DOTMATCH) - %w[. .. config config/. config/..])
  test["files"].each { |name, text| File.binwrite(name, text) }
end

# Before any Active Record is loaded. An answer is the last that is done.
define_singleton_method(:exit!) { |_| throw :answered }
ours = input["cases"].map do |test|
  prepare.call(test)
  ARGV.replace(["config/database.yml", test["environment"]])
  $stdout = File.open("answer", "w+")
  catch(:answered) { eval(input["plain"], TOPLEVEL_BINDING.dup) }
  JSON.parse(File.read("answer"))
end
$stdout = STDOUT

require "rails"
require "active_record"
require "active_record/database_configurations"
require "rails/application/configuration"
require "active_record/connection_adapters/postgresql_adapter"
adapter = ActiveRecord::ConnectionAdapters::PostgreSQLAdapter
adapter.define_singleton_method(:new_client) { |parameters| throw :parameters, parameters }

theirs = input["cases"].map do |test|
  prepare.call(test)
  Rails.env = test["environment"]
  begin
    file = Rails::Application::Configuration.new(Pathname.new(Dir.pwd)).database_configuration
    writers = ActiveRecord::DatabaseConfigurations.new(file).configs_for(:env_name => test["environment"])
    settings = (writers.find { |config| config.name == "primary" } || writers.first).configuration_hash
    parameters = if ActiveRecord::Base.respond_to?(:postgresql_connection)
      catch(:parameters) { ActiveRecord::Base.postgresql_connection(settings) }
    else
      adapter.new(settings).instance_variable_get(:@connection_parameters)
    end
    { "settings" => parameters.map { |key, value| [key, value.to_s] }.to_h, "adapter" => settings[:adapter] }
  rescue StandardError, ScriptError => error
    { "refused" => error.message }
  end
end

puts JSON.generate("ours" => ours, "theirs" => theirs, "version" => ActiveRecord.version.to_s)
