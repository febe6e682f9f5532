-- What the server calls itself, and its standbys; nothing where the role may not ask.
SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS may_ask \gset
\if :may_ask
SELECT system_identifier AS system FROM pg_control_system() \gset
\else
SELECT '' AS system \gset
\endif
