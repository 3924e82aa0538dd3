/** A real PostgreSQL 18 for tests; share one among the tests of a file. */
export {
  startPostgres,
  type LocalPostgres as TestPostgres,
  type LocalPostgresOptions as TestPostgresOptions,
} from '../../services/demo/postgres.ts'
