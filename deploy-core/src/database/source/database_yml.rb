# Finds out, without the application, how Active Record (6.1 and newer) would connect to the database of an environment: from
# database.yml and the variables. It prints JSON: the `settings`; or `ask`, why only the application can tell; or `refused`,
# what is wrong. Nothing that could be a password is quoted. Whatever the file prints itself goes to standard error.
require "erb"
require "json"
require "uri"
require "yaml"

file, environment = ARGV
report = $stdout.dup
$stdout.reopen($stderr)
answer = lambda do |kind, value|
  report.puts JSON.generate(kind => value)
  report.flush
  exit!(0)
end
refuse = lambda { |text| answer.call("refused", text) }
ask = lambda { |why| answer.call("ask", why) }

# Gems that set variables when the application starts, and where they find them.
lock = File.file?("Gemfile.lock") ? File.binread("Gemfile.lock") : ""
{ "dotenv" => ".env*", "dotenv-rails" => ".env*", "figaro" => "config/application.yml" }.each do |gem, files|
  ask.call("the gem #{gem} gives it variables") if lock =~ /^  #{gem}[ !\n]/ && Dir.glob(files).any?
end
version = lock[/^    activerecord \((\d+\.\d+)/, 1]
variables = ENV.keys.select { |name| name.end_with?("DATABASE_URL") }
if version && version.to_f < 6.1 && variables.any?
  refuse.call("Active Record #{version} takes #{variables.join(", ")} by other rules than 6.1 and newer")
end

text = nil
if File.file?(file)
  text = File.read(file, :encoding => "UTF-8")
  refuse.call("#{file} is not in UTF-8") unless text.valid_encoding?
  erb = ERB.new(text)
  erb.filename = file
  begin
    text = erb.result
  rescue SyntaxError => error
    refuse.call(error.message.lines.first.to_s.strip)
  rescue StandardError, ScriptError => error
    place = (error.backtrace || []).map { |line| line[/\A#{Regexp.escape(file)}:(\d+)/, 1] }.compact.first
    about = [:key, :path, :name].map { |what| error.respond_to?(what) ? error.public_send(what) : nil }.compact.first
    ask.call("#{file}:#{place}: #{[error.class, about].compact.join(" ")}")
  end
  refuse.call("#{file} is not in UTF-8") unless text.valid_encoding?
elsif ENV["DATABASE_URL"].nil?
  refuse.call("there is no #{file} in #{Dir.pwd}, and no variable DATABASE_URL")
end

begin
  all = (YAML.respond_to?(:unsafe_load) ? YAML.unsafe_load(text.to_s) : YAML.load(text.to_s)) || {}
rescue Psych::SyntaxError => error
  refuse.call("#{file}:#{error.line}: #{[error.problem, error.context].compact.join(" ")}")
rescue StandardError => error
  refuse.call("#{file} is not understood as YAML: #{error.class}")
end
refuse.call("#{file} has no sections") unless all.is_a?(Hash)

# What a URL says, as Active Record's ConnectionUrlResolver has it.
parser = URI::RFC2396_Parser.new
from_url = lambda do |url, place|
  next {} if url.nil?
  next { "url" => url } if url.to_s.start_with?("jdbc:", "http:", "https:")
  refuse.call("the URL in #{place} is empty") if url.to_s.strip.empty?
  begin
    uri = parser.parse(url)
  rescue StandardError
    refuse.call("the URL in #{place} is none that Active Record understands: it takes one host")
  end
  opaque, query = uri.opaque ? uri.opaque.split("?", 2) : [nil, uri.query]
  parameters = Hash[query.to_s.split("&").map { |pair| pair.split("=", 2) }]
  twice = parameters.keys & %w[adapter username password port database host replica]
  ask.call("its versions take `#{twice.first}` behind the `?` of #{place} differently") if twice.any?
  adapter = uri.scheme && uri.scheme.tr("-", "_")
  adapter = "postgresql" if adapter == "postgres"
  said = if opaque
    { "database" => opaque }
  else
    { "username" => uri.user, "password" => uri.password, "port" => uri.port, "host" => uri.hostname,
      "database" => uri.path.to_s.sub(%r{\A/}, "") }
  end
  said = parameters.merge("adapter" => adapter).merge(said).reject { |_, value| value.to_s.strip.empty? }
  said.each { |key, value| said[key] = parser.unescape(value) if value.is_a?(String) }
end

shared = all.delete("shared")
section = all.find { |name, _| name.to_s == environment }
tiers = section && section.last.is_a?(Hash) && section.last.all? { |_, value| value.is_a?(Hash) }
if shared && tiers && section.last.any?
  ask.call("its versions take `shared` in #{file} differently")
elsif shared.is_a?(Hash) && section && section.last.is_a?(Hash) && !tiers
  section = [section.first, shared.merge(section.last)]
end
configs = if section
  tiers ? section.last.map { |name, config| [name.to_s, config] } : [["primary", section.last]]
else
  []
end

resolve = lambda do |name, config|
  if config.is_a?(String)
    place = "#{file}, section `#{environment}`"
    refuse.call("#{place} is neither a URL nor settings") unless config =~ /\A[a-z][a-z0-9+.-]*:/i
    next from_url.call(config, place)
  end
  refuse.call("the section `#{environment}` of #{file} has no settings") unless config.is_a?(Hash)
  config = Hash[config.map { |key, value| [key.to_s, value] }]
  variable = ["#{name.upcase}_DATABASE_URL"]
  variable << "DATABASE_URL" if name == "primary"
  variable = variable.find { |candidate| ENV[candidate] }
  # A URL in the file stands over those in variables.
  if config.key?("url")
    url = config.delete("url")
    ask.call("its versions take an empty `url` in #{file} beside #{variable} differently") if url.nil? && variable
    next config.merge(from_url.call(url, "`url` of #{file}"))
  end
  variable ? config.merge(from_url.call(ENV[variable], variable)) : config
end

begin
  if configs.empty? && %w[PRIMARY_DATABASE_URL DATABASE_URL].none? { |name| ENV[name] }
    refuse.call("the section `#{environment}` of #{file} is empty") if section
    refuse.call("#{file} has no section `#{environment}`; it has #{all.empty? ? "none" : all.keys.join(", ")}")
  end
  configs = [["primary", {}]] if configs.empty?
  configs = configs.map { |name, config| [name, resolve.call(name, config)] }
  configs = configs.reject { |_, config| config["replica"] }
  refuse.call("the section `#{environment}` of #{file} has nothing but replicas") if configs.empty?
  settings = (configs.find { |name, _| name == "primary" } || configs.first).last
  plain = settings.select { |_, value| [String, Symbol, Numeric, true, false].any? { |kind| kind === value } }
  answer.call("settings", Hash[plain.map { |key, value| [key, value.to_s] }])
rescue JSON::GeneratorError, EncodingError
  refuse.call("#{file} or a variable has a text that is not in UTF-8")
end
