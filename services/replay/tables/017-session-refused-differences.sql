ALTER TABLE session_refused
  ADD COLUMN IF NOT EXISTS differences Array(Tuple(field String, expected String, actual String)) COMMENT 'What differed, where a token was shown in another context than expected.'
