/**
 * Relations of pg_catalog and information_schema that tell what there is, and no value of any row of a table. Everything else in these
 * schemas is not read: statistics keep the commonest values of a column (pg_stats, pg_statistic), large objects are data,
 * pg_stat_activity and its like show the commands of other sessions with the values in them, and some tables hold passwords.
 */
const catalog_relations = `
pg_aggregate pg_aios pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions pg_available_extensions
pg_backend_memory_contexts pg_cast pg_class pg_collation pg_config pg_constraint pg_conversion pg_database pg_db_role_setting pg_default_acl pg_depend pg_description
pg_enum pg_event_trigger pg_extension pg_foreign_data_wrapper pg_foreign_table pg_group pg_index pg_indexes pg_inherits pg_init_privs
pg_language pg_locks pg_matviews pg_namespace pg_opclass pg_operator pg_opfamily pg_parameter_acl pg_partitioned_table pg_policies pg_policy
pg_proc pg_publication pg_publication_namespace pg_publication_rel pg_publication_tables pg_range pg_replication_slots pg_rewrite pg_roles pg_rules
pg_seclabel pg_seclabels pg_sequence pg_sequences pg_settings pg_shdepend pg_shdescription pg_shseclabel pg_stat_all_indexes pg_stat_all_tables
pg_shmem_allocations pg_stat_archiver pg_stat_bgwriter pg_stat_checkpointer pg_stat_database pg_stat_database_conflicts pg_stat_gssapi pg_stat_io
pg_stat_progress_analyze pg_stat_progress_cluster pg_stat_progress_copy pg_stat_progress_create_index pg_stat_progress_vacuum pg_stat_replication_slots pg_stat_slru pg_stat_ssl
pg_stat_sys_indexes pg_stat_sys_tables pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables pg_stat_wal
pg_stat_xact_all_tables pg_stat_xact_sys_tables pg_stat_xact_user_functions pg_stat_xact_user_tables pg_statio_all_indexes
pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_indexes pg_statio_sys_sequences pg_statio_sys_tables pg_statio_user_indexes
pg_statio_user_sequences pg_statio_user_tables pg_statistic_ext pg_tables pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_transform
pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_user pg_views pg_wait_events
`

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter(Boolean))

/** Names in pg_catalog that may be read. A test compares them with a real server's. */
export const readable_catalog_relations = words(catalog_relations)

/** Names in information_schema that may not: options of user mappings and foreign servers hold passwords. */
export const unreadable_information: ReadonlySet<string> = words(`
_pg_foreign_data_wrappers _pg_foreign_servers _pg_foreign_table_columns _pg_foreign_tables _pg_user_mappings
foreign_data_wrapper_options foreign_server_options foreign_table_options user_mapping_options
`)

export const isReadableSystemRelation = (schema: string, name: string): boolean =>
  schema === 'information_schema'
    ? !unreadable_information.has(name)
    : readable_catalog_relations.has(name)

export const isSystemSchema = (schema: string): boolean =>
  schema === 'pg_catalog' || schema === 'information_schema' || schema.startsWith('pg_toast')
