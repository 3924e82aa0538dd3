import type { CatalogFunction } from '../catalog.ts'
import { functionEffect } from '../functions.ts'
import { pure_functions } from '../pure-lists.ts'

/** What lineage knows of functions by their names. */

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter(Boolean))

/**
 * Their results depend on their arguments and on nothing that a table holds, but they are volatile, or look at the server, or leave
 * something behind: what goes into them may come out elsewhere (set_config, pg_notify, a lock's number).
 */
const stateful_functions = words(`
clock_timestamp currval gen_random_uuid inet_client_addr inet_client_port inet_server_addr inet_server_port lastval
nextval pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_blocking_pids pg_cancel_backend pg_column_size pg_current_snapshot pg_current_wal_lsn
pg_current_xact_id pg_current_xact_id_if_assigned pg_database_size pg_export_snapshot pg_get_keywords pg_indexes_size
pg_is_in_recovery pg_is_wal_replay_paused pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_notify
pg_partition_ancestors pg_partition_root pg_partition_tree pg_relation_filenode pg_relation_size pg_reload_conf pg_size_bytes pg_size_pretty pg_sleep
pg_sleep_for pg_sleep_until pg_table_size pg_tablespace_size pg_terminate_backend pg_total_relation_size pg_try_advisory_lock
pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_wal_lsn_diff random
random_normal set_config setseed setval timeofday txid_current txid_current_snapshot uuidv4 uuidv7
`)

/** Of these the grammar makes calls by names that pg_proc has, and that the list of pure functions leaves out. */
const grammar_functions =
  words(`similar_to_escape like_escape xmlexists is_normalized system_user merge_action xml_is_well_formed xpath xpath_exists
pg_collation_for json_populate_record jsonb_populate_record json_populate_recordset jsonb_populate_recordset json_to_record
jsonb_to_record json_to_recordset jsonb_to_recordset aclexplode acldefault pg_get_sequence_data ts_debug ts_parse ts_token_type ts_lexize pg_input_is_valid
pg_input_error_info hashtext hashtextextended jsonb_path_query_tz jsonb_path_exists_tz jsonb_path_match_tz
jsonb_path_query_array_tz jsonb_path_query_first_tz pg_encoding_max_length getdatabaseencoding any_value grouping row_to_json
pg_options_to_table xmlconcat xmlcomment xmltext`)

/** They read what their arguments name, or what other sessions do and wrote. */
const unreadable_functions = words(`
lo_get loread lo_open lo_lseek lo_tell lo_lseek64 lo_tell64 lo_close lo_import lo_from_bytea
pg_stat_get_activity pg_stat_get_backend_activity pg_prepared_statement pg_cursor pg_show_all_file_settings pg_get_wal_records_info
get_raw_page heap_page_items heap_page_item_attrs bt_page_items gin_leafpage_items pg_mcv_list_items pg_stat_statements pg_snapshot_xip
pg_get_publication_tables pg_get_multixact_members pg_walfile_name
`)

export type FunctionKind =
  /** Nothing but its arguments. */
  | 'pure'
  /** Nothing but its arguments, and they may be seen elsewhere. */
  | 'stateful'
  /** It reads whatever it likes. */
  | 'unreadable'
  /** Of somebody's own. */
  | 'foreign'

export type FunctionName = { readonly schema: string; readonly name: string }

export const functionKind = (
  { schema, name }: FunctionName,
  candidates: readonly CatalogFunction[],
): FunctionKind => {
  if (unreadable_functions.has(name)) return 'unreadable'
  switch (functionEffect(name)) {
    case 'file.read':
    case 'replication':
    case 'unknown':
      return 'unreadable'
    case 'file.write':
      return 'stateful'
    case 'terminate':
    case undefined:
      break
  }
  if (schema !== '' && schema !== 'pg_catalog') return 'foreign'
  // Nobody knows the function, or it may have been replaced since the catalog was loaded.
  if (candidates.length === 0 || candidates.some(({ builtin }) => !builtin)) return 'foreign'
  if (pure_functions.has(name) || grammar_functions.has(name)) return 'pure'
  return stateful_functions.has(name) ? 'stateful' : 'foreign'
}

/** Columns of functions that give rows; whoever is on none of the lists gives one column. */
const row_functions: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    json_each: ['key', 'value'],
    json_each_text: ['key', 'value'],
    jsonb_each: ['key', 'value'],
    jsonb_each_text: ['key', 'value'],
    pg_get_keywords: ['word', 'catcode', 'barelabel', 'catdesc', 'baredesc'],
    pg_options_to_table: ['option_name', 'option_value'],
    aclexplode: ['grantor', 'grantee', 'privilege_type', 'is_grantable'],
    ts_parse: ['tokid', 'token'],
    ts_token_type: ['tokid', 'alias', 'description'],
    ts_debug: ['alias', 'description', 'token', 'dictionaries', 'dictionary', 'lexemes'],
    pg_partition_tree: ['relid', 'parentrelid', 'isleaf', 'level'],
    pg_input_error_info: ['message', 'detail', 'hint', 'sql_error_code'],
  }),
)

/** Their columns are those of an argument's type, or named by the call. */
const any_rows = words(`
json_populate_record jsonb_populate_record json_populate_recordset jsonb_populate_recordset json_to_record jsonb_to_record
json_to_recordset jsonb_to_recordset pg_get_sequence_data
`)

/** Columns that a function gives in FROM: their names, `one` for a function of scalars, undefined when they cannot be told. */
export const functionColumns = (name: string): readonly string[] | 'one' | undefined => {
  const columns = row_functions.get(name)
  if (columns) return columns
  if (any_rows.has(name)) return undefined
  return 'one'
}

/** Aggregates: their results depend on how many rows there are. */
export const aggregates = words(`
array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every json_agg json_agg_strict json_object_agg
json_object_agg_strict json_object_agg_unique jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique max min mode
percentile_cont percentile_disc range_agg range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2
regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg any_value
`)

/** Set-returning functions that give a number of rows which an argument tells. */
export const counting_functions = words('generate_series generate_subscripts')

/** Set-returning functions that give as many rows as an argument has elements. */
export const spreading_functions = words(`
aclexplode json_array_elements json_array_elements_text json_each json_each_text json_object_keys json_populate_recordset json_to_recordset
jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_path_query_tz
jsonb_populate_recordset jsonb_to_recordset regexp_matches regexp_split_to_table string_to_table ts_parse unnest
`)
