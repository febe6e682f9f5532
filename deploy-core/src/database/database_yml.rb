# Prints a section of database.yml as JSON, as Rails would read it: ERB, aliases, DATABASE_URL.
require "erb"
require "json"
require "yaml"
file, name = ARGV
abort "there is no #{file} in #{Dir.pwd}" unless File.exist?(file)
begin
  text = ERB.new(File.read(file)).result
rescue NameError, KeyError => error
  abort "#{file} needs more than ruby alone: #{error.message}"
end
all = YAML.respond_to?(:unsafe_load) ? YAML.unsafe_load(text) : YAML.load(text)
section = all.is_a?(Hash) ? all[name] : nil
abort "#{file} has no section `#{name}`; it has #{all.is_a?(Hash) ? all.keys.join(", ") : "none"}" unless section.is_a?(Hash)
section = section["primary"] || section.values.first if section.values.all? { |value| value.is_a?(Hash) }
section = section.merge("url" => ENV["DATABASE_URL"]) unless ENV["DATABASE_URL"].to_s.empty?
known = %w[adapter url host socket port username password database]
section = section.select { |key, value| known.include?(key) && !value.nil? && value.to_s != "" }
%w[host socket username password database].each { |key| section[key] = section[key].to_s if section[key] }
section["port"] = Integer(section["port"]) if section["port"]
puts JSON.generate(section)
