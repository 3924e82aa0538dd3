/**
 * Builtins that a pure read may use. Each function is immutable or stable in every variant that PostgreSQL 18 ships, and has
 * no effect beyond its result: a test compares the list with pg_proc of a real server. Not here, though stable: whatever runs
 * text (ts_stat, query_to_xml), large objects, files, sequences' state, and what waits, sends or signals.
 */
const functions = `
abs acos acosd acosh age array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position
array_positions array_prepend array_remove array_replace array_reverse array_sort array_to_json array_to_string array_to_tsvector array_upper ascii asin asind
asinh atan atan2 atan2d atand atanh avg bit_and bit_count bit_length bit_or bit_xor bool_and bool_or broadcast btrim cardinality
casefold cbrt ceil ceiling char_length character_length chr col_description concat concat_ws convert_from convert_to
corr cos cosd cosh cot cotd count covar_pop covar_samp crc32 crc32c cume_dist current_database current_schema current_schemas current_setting
date date_bin date_part date_trunc decode degrees dense_rank div encode enum_first enum_last enum_range erf erfc every exp
extract factorial family first_value float4 float8 floor format format_type gamma gcd
generate_series generate_subscripts get_bit get_byte has_any_column_privilege
has_column_privilege has_database_privilege has_function_privilege has_language_privilege has_schema_privilege
has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege has_type_privilege host
hostmask inet_merge inet_same_family initcap int2 int4 int8 isempty isfinite json_agg json_agg_strict json_array_elements json_array_elements_text
json_array_length json_build_array json_build_object json_each json_each_text json_extract_path
json_extract_path_text json_object json_object_agg json_object_keys json_strip_nulls json_typeof jsonb_agg
jsonb_agg_strict jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists
jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_set_lax
jsonb_strip_nulls jsonb_typeof justify_days justify_hours justify_interval lag last_value lcm lead left
length lgamma like_escape ln log log10 lower lower_inc lower_inf lpad ltrim macaddr8_set7bit make_date make_interval make_time make_timestamp
make_timestamptz masklen max md5 min min_scale mod mode multirange netmask network normalize now nth_value ntile num_nonnulls
num_nulls numeric obj_description octet_length overlaps overlay parse_ident percent_rank percentile_cont percentile_disc pg_backend_pid pg_char_to_encoding
pg_client_encoding pg_collation_is_visible pg_conf_load_time pg_conversion_is_visible pg_encoding_to_char pg_function_is_visible
pg_get_constraintdef pg_get_expr pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
pg_get_functiondef pg_get_indexdef pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef
pg_get_statisticsobjdef_columns pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_has_role pg_is_other_temp_schema
pg_my_temp_schema pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_postmaster_start_time
pg_relation_is_publishable pg_statistics_obj_is_visible pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible
pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible pg_typeof phraseto_tsquery pi plainto_tsquery position power quote_ident quote_literal
quote_nullable radians range_agg range_intersect_agg range_merge rank regexp_count regexp_instr regexp_like regexp_match
regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round row_number
row_to_json rpad rtrim scale set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 shobj_description sign sin sind sinh
split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array string_to_table
strip strpos substr substring sum tan tand tanh text textlen timestamp timestamptz timezone to_ascii to_bin to_char to_date
to_hex to_json to_jsonb to_number to_oct to_regclass to_regnamespace to_regproc to_regprocedure to_regrole to_regtype to_timestamp to_tsquery to_tsvector transaction_timestamp translate
trim_array trim_scale trunc ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsvector_to_array txid_current_if_assigned unistr unnest upper upper_inc
upper_inf uuid_extract_timestamp uuid_extract_version var_pop var_samp variance version websearch_to_tsquery width_bucket xmlagg
`

const operators = `
+ - * / % ^ |/ ||/ @ & | # ~ << >> = <> != < <= > >= || ~* !~ !~* ~~ ~~* !~~ !~~* ^@ -> ->> #> #>> @> <@ ? ?| ?& @? @@ #- && -|- &< &>
<<= >>= <<| |>> &<| |&> <-> @-@ ## ?# ?- ?-| ?|| ~= ~<~ ~<=~ ~>=~ ~>~ !! @@@
BETWEEN
`

/** As PostgreSQL's grammar names them in a parse tree. No reg* types: their input looks names up. No user types: their input is somebody's function. */
const types = `
bit bool boolean bpchar box bytea char cidr circle date datemultirange daterange decimal float4 float8 inet int int2 int4 int4multirange int4range
int8 int8multirange int8range integer interval json jsonb jsonpath line lseg macaddr macaddr8 money name nummultirange numeric numrange oid
path pg_lsn point polygon smallint bigint text time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange
tsvector uuid varbit varchar xid xid8 xml
`

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter(Boolean))

export const pure_functions = words(functions)

export const pure_operators: ReadonlySet<string> = new Set([
  ...words(operators),
  'NOT BETWEEN',
  'BETWEEN SYMMETRIC',
  'NOT BETWEEN SYMMETRIC',
])

export const pure_types = words(types)
