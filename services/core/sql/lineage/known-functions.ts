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
pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_blocking_pids pg_cancel_backend pg_current_snapshot pg_current_wal_lsn
pg_current_xact_id pg_current_xact_id_if_assigned pg_database_size pg_export_snapshot pg_indexes_size
pg_is_in_recovery pg_is_wal_replay_paused pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_notify
pg_partition_ancestors pg_partition_root pg_partition_tree pg_relation_filenode pg_relation_size pg_reload_conf pg_size_bytes pg_size_pretty pg_sleep
pg_sleep_for pg_sleep_until pg_table_size pg_tablespace_size pg_terminate_backend pg_total_relation_size pg_try_advisory_lock
pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_wal_lsn_diff random
random_normal set_config setseed setval timeofday txid_current txid_current_snapshot uuidv4 uuidv7
`)

/** As harmless as those of a pure read, which leaves them out because they are spelled as grammar, or seldom, or look something up. */
const further_functions = words(`
abbrev aclexplode acldefault any_value area array_sample array_shuffle arraycontained arraycontains arrayoverlap bit bool bound_box box bpchar
bytea center cidr circle convert date_add date_subtract datemultirange daterange diagonal diameter
get_current_ts_config getdatabaseencoding getpgusername hashtext hashtextextended height
int4multirange int4range int8multirange int8range interval is_normalized isclosed isopen json_array_element json_array_element_text
json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict json_object_field json_object_field_text json_populate_record
json_populate_recordset json_to_record json_to_recordset json_to_tsvector jsonb_array_element jsonb_array_element_text jsonb_concat
jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_object_agg_strict
jsonb_object_agg_unique jsonb_object_agg_unique_strict jsonb_object_field jsonb_object_field_text jsonb_path_exists_tz jsonb_path_match_tz
jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_record_valid
jsonb_populate_recordset jsonb_to_record jsonb_to_recordset jsonb_to_tsvector like like_escape line lseg
macaddr macaddr8 money multirange_adjacent_range name notlike npoints nummultirange numnode numrange oid oidvectortypes path
pg_basetype pg_collation_actual_version pg_collation_for pg_column_compression pg_column_is_updatable pg_column_size
pg_describe_object pg_encoding_max_length pg_filenode_relation pg_get_acl pg_get_function_arg_default pg_get_function_sqlbody
pg_get_keywords pg_get_object_address pg_get_partition_constraintdef pg_get_replica_identity_index pg_get_sequence_data
pg_get_statisticsobjdef_expressions pg_identify_object pg_identify_object_as_address pg_index_column_has_property
pg_index_has_property pg_indexam_has_property pg_input_error_info pg_input_is_valid pg_jit_available pg_lsn pg_options_to_table
pg_relation_filepath pg_relation_is_updatable pg_sequence_last_value pg_sequence_parameters pg_settings_get_flags
pg_tablespace_databases pg_tablespace_location pg_trigger_depth point polygon pow querytree radius regclass
row_security_active satisfies_hash_partition similar_escape similar_to_escape slope
system_user textcat time timetz to_regcollation to_regoper to_regoperator to_regtypemod ts_debug ts_lexize ts_parse ts_token_type tsmultirange tsrange
tstzmultirange tstzrange txid_status unicode_assigned unicode_version varbit varchar width xid xml xml_is_well_formed xml_is_well_formed_content
xml_is_well_formed_document xmlcomment xmlconcat2 xmlexists xmltext xmlvalidate xpath xpath_exists
`)

/** Counters of the server's own. Not these: what other sessions run, and where replicas are. */
const isCounter = (name: string): boolean =>
  /^pg_stat_get_(?!activity|backend_activity|wal_senders|wal_receiver|subscription$)/.test(name)

/** Functions in C of well-known extensions that look at nothing but their arguments. Only a superuser makes functions in C. */
const extension_functions = words(`
armor cash_dist cmpp crypt cube_distance daitch_mokotoff dearmor decrypt decrypt_iv difference digest dmetaphone dmetaphone_alt earth_distance
encrypt encrypt_iv gen_salt hmac hstore hstore_to_array hstore_to_json hstore_to_jsonb hstore_to_matrix intarray_del_elem
icount idx levenshtein levenshtein_less_equal ll_to_earth lquery ltree ltree2text metaphone nlevel pgp_pub_decrypt pgp_pub_encrypt
pgp_sym_decrypt pgp_sym_decrypt_bytea pgp_sym_encrypt pgp_sym_encrypt_bytea similarity soundex sort_asc sort_desc strict_word_similarity
subltree subpath text2ltree unaccent uniq uuid_generate_v1 uuid_generate_v1mc uuid_generate_v3 uuid_generate_v4 uuid_generate_v5 uuid_nil
word_similarity akeys avals skeys svals delete exist defined slice citext cosine_distance inner_product l1_distance l2_distance l2_norm
vector_dims vector_norm
`)

/** They read what their arguments name, or what other sessions do and wrote. */
const unreadable_functions = words(`
lo_get loread lo_open lo_lseek lo_tell lo_lseek64 lo_tell64 lo_close lo_import lo_from_bytea
current_query pg_stat_get_activity pg_stat_get_backend_activity pg_prepared_statement pg_cursor pg_show_all_file_settings pg_get_wal_records_info
get_raw_page heap_page_items heap_page_item_attrs bt_page_items gin_leafpage_items pg_mcv_list_items pg_stat_statements
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

/** Whatever the name may mean is an extension's, or the server's own. */
const isExtension = (name: string, candidates: readonly CatalogFunction[]): boolean =>
  extension_functions.has(name) &&
  candidates.length > 0 &&
  candidates.every(({ builtin, language }) => builtin || language === 'c')

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
  if (isExtension(name, candidates)) return 'pure'
  if (schema !== '' && schema !== 'pg_catalog') return 'foreign'
  // Nobody knows the function, or it may have been replaced since the catalog was loaded.
  if (candidates.length === 0 || candidates.some(({ builtin }) => !builtin)) return 'foreign'
  if (pure_functions.has(name) || further_functions.has(name) || isCounter(name)) return 'pure'
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
json_to_recordset jsonb_to_recordset pg_get_object_address pg_get_sequence_data pg_identify_object pg_identify_object_as_address
pg_sequence_parameters pg_stat_get_archiver pg_stat_get_backend_io pg_stat_get_backend_subxact pg_stat_get_backend_wal pg_stat_get_io
pg_stat_get_progress_info pg_stat_get_recovery_prefetch pg_stat_get_replication_slot pg_stat_get_slru
pg_stat_get_subscription_stats pg_stat_get_wal
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
