-- Makes the database :scratch like :db, where that exists: its owner, encoding and locale.
SELECT current_setting('server_version_num')::int >= 150000 AS has_provider,
  current_setting('server_version_num')::int >= 170000 AS has_locale,
  EXISTS (SELECT FROM pg_database WHERE datname = :'db') AS has_model
\gset
\if :has_model
  \if :has_locale
    SELECT CASE datlocprovider
      WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', datlocale)
      WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', datlocale)
      ELSE ' LOCALE_PROVIDER libc' END AS provider FROM pg_database WHERE datname = :'db' \gset
  \elif :has_provider
    SELECT CASE datlocprovider WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', daticulocale)
      ELSE ' LOCALE_PROVIDER libc' END AS provider FROM pg_database WHERE datname = :'db' \gset
  \else
    SELECT '' AS provider \gset
  \endif
  SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',
    :'scratch', :'owner', pg_encoding_to_char(d.encoding), d.datcollate, d.datctype) || :'provider' ||
    CASE WHEN t.spcname = 'pg_default' THEN '' ELSE format(' TABLESPACE %I', t.spcname) END
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = :'db' \gexec
\else
  SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0', :'scratch', :'owner') ||
    CASE WHEN :'encoding' = '' THEN '' ELSE format(' ENCODING %L', :'encoding') END \gexec
\endif
