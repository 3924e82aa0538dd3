import { pure_functions } from './pure-lists.ts'

/**
 * Builtins whose call is no matter for a policy: those of a pure read, and the ones below. They give a value, wait, or do what an effect of its own tells
 * (sequences, settings, notifications). A test compares both lists with pg_proc of a real server: nothing that only some may call is among them, and
 * what is volatile is named here one by one.
 */
const words = (text: string): readonly string[] => text.split(/\s+/).filter(Boolean)

/** Volatile in some variant. */
export const harmless_volatile: ReadonlySet<string> = new Set(
  words(`
array_sample array_shuffle clock_timestamp currval gen_random_uuid lastval nextval pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock
pg_advisory_unlock_all pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_blocking_pids pg_current_wal_lsn pg_database_size
pg_indexes_size pg_is_in_recovery pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_jit_available pg_last_xact_replay_timestamp pg_partition_ancestors pg_partition_tree pg_notify pg_relation_size pg_sleep pg_sleep_for
pg_sleep_until pg_table_size pg_tablespace_size pg_total_relation_size pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock
pg_try_advisory_xact_lock_shared random random_normal set_config setseed setval timeofday uuidv4 uuidv7
`),
)

/** Stable or immutable in every variant, and not on the list of pure reads. */
export const harmless_stable: ReadonlySet<string> = new Set(
  words(`
any_value date_add date_subtract has_foreign_data_wrapper_privilege has_parameter_privilege inet_client_addr inet_client_port inet_server_addr
inet_server_port json_populate_record json_populate_recordset json_to_record json_to_recordset jsonb_path_exists_tz jsonb_path_match_tz
jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset jsonb_to_record
jsonb_to_recordset pg_column_compression pg_column_size pg_current_snapshot pg_describe_object pg_get_keywords pg_identify_object 
 pg_partition_root pg_size_bytes pg_size_pretty row_security_active txid_current_snapshot xml_is_well_formed
xml_is_well_formed_content xml_is_well_formed_document xmlcomment xmlconcat2 xmltext xpath xpath_exists
pg_current_xact_id pg_current_xact_id_if_assigned txid_current
`),
)

export const isHarmless = (name: string): boolean =>
  pure_functions.has(name) || harmless_stable.has(name) || harmless_volatile.has(name)
