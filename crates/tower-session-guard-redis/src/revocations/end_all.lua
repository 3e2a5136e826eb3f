-- ARGV: a key, `at` and `until` of the cut-off, its mark. Ends what was issued under the key.
return { raise(ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ''), size() }
