import { randomUUID } from 'node:crypto';
import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Numbered steps, oldest first. A step that has been released is never edited. Only what SQLite and PostgreSQL share
 * is used; what differs in name alone (`integer`, `autoIncrement`) is said by the dialect of PostgreSQL in its own words.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001_spine': {
    async up(db: Kysely<unknown>) {
      const schema = db.schema;
      await schema
        .createTable('computers')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('uuid', 'text', (column) => column.notNull().unique())
        .addColumn('label', 'text', (column) => column.notNull().unique())
        .addColumn('config', 'text', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('updated_at', 'bigint', (column) => column.notNull())
        .addColumn('opened_at', 'bigint')
        .addColumn('polled_at', 'bigint')
        .addColumn('open_failures', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('open_after', 'bigint')
        .addColumn('hold', 'text')
        .execute();
      await schema
        .createTable('processes')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('uuid', 'text', (column) => column.notNull().unique())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('label', 'text', (column) => column.notNull())
        .addColumn('description', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('stage', 'text')
        .addColumn('stage_since', 'bigint', (column) => column.notNull())
        .addColumn('checkpoint', 'text')
        .addColumn('paused', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('paused_reason', 'text')
        .addColumn('paused_at', 'bigint')
        .addColumn('kill_requested_at', 'bigint')
        .addColumn('kill_reason', 'text')
        .addColumn('exit_status', 'integer')
        .addColumn('exit_label', 'text')
        .addColumn('exit_message', 'text')
        .addColumn('exception', 'text')
        .addColumn('computer_id', 'integer', (column) => column.references('computers.id'))
        .addColumn('priority', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('inputs', 'text', (column) => column.notNull())
        .addColumn('outputs', 'text')
        .addColumn('remote_directory', 'text')
        .addColumn('job_id', 'text')
        .addColumn('scheduler_state', 'text')
        .addColumn('scheduler_word', 'text')
        .addColumn('scheduler_reason', 'text')
        .addColumn('job_info', 'text')
        .addColumn('waiting_for', 'text')
        .addColumn('waiting_since', 'bigint')
        .addColumn('due_at', 'bigint')
        .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('last_error', 'text')
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('updated_at', 'bigint', (column) => column.notNull())
        .addColumn('ended_at', 'bigint')
        .execute();
      // Work is found by these three; ended processes have no stage and no due time.
      await schema.createIndex('processes_work').on('processes').columns(['computer_id', 'stage', 'due_at']).execute();
      await schema
        .createIndex('processes_kill')
        .on('processes')
        .columns(['computer_id', 'kill_requested_at'])
        .execute();
      await schema.createIndex('processes_due').on('processes').columns(['due_at']).execute();
      await schema.createIndex('processes_state').on('processes').columns(['state']).execute();
      await schema
        .createTable('submissions')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('process_id', 'integer', (column) => column.notNull().references('processes.id'))
        .addColumn('attempt', 'integer', (column) => column.notNull())
        .addColumn('job_name', 'text', (column) => column.notNull().unique())
        .addColumn('intended_at', 'bigint', (column) => column.notNull())
        .addColumn('outcome', 'text', (column) => column.notNull())
        .addColumn('job_id', 'text')
        .addColumn('message', 'text')
        .addColumn('resolved_at', 'bigint')
        .execute();
      await schema
        .createIndex('submissions_process')
        .unique()
        .on('submissions')
        .columns(['process_id', 'attempt'])
        .execute();
      await schema.createIndex('submissions_time').on('submissions').columns(['intended_at']).execute();
      await schema
        .createTable('files')
        .addColumn('process_id', 'integer', (column) => column.notNull().references('processes.id'))
        .addColumn('role', 'text', (column) => column.notNull())
        .addColumn('path', 'text', (column) => column.notNull())
        .addColumn('sha256', 'text', (column) => column.notNull())
        .addColumn('size', 'bigint', (column) => column.notNull())
        .addColumn('mode', 'integer', (column) => column.notNull())
        .addPrimaryKeyConstraint('files_key', ['process_id', 'role', 'path'])
        .execute();
      await schema
        .createTable('events')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('process_id', 'integer')
        .addColumn('computer_id', 'integer')
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('data', 'text', (column) => column.notNull())
        .execute();
      await schema.createIndex('events_process').on('events').columns(['process_id', 'id']).execute();
      await schema
        .createTable('cursors')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('position', 'integer', (column) => column.notNull())
        .execute();
      await schema
        .createTable('leases')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('epoch', 'integer', (column) => column.notNull())
        .addColumn('expires_at', 'bigint', (column) => column.notNull())
        .addColumn('host', 'text', (column) => column.notNull())
        .addColumn('pid', 'integer', (column) => column.notNull())
        .addColumn('pid_started', 'text', (column) => column.notNull())
        .execute();
    },
  },
  '0002_limits': {
    async up(db: Kysely<unknown>) {
      const schema = db.schema;
      const computers: readonly [string, 'integer' | 'bigint' | 'text'][] = [
        ['poll_at', 'bigint'],
        ['draining_since', 'bigint'],
        ['site_limit', 'text'],
        ['throttle', 'text'],
        ['foreign_jobs', 'integer'],
        ['foreign_at', 'bigint'],
      ];
      for (const [name, type] of computers) await schema.alterTable('computers').addColumn(name, type).execute();
      for (const table of ['computers', 'processes']) {
        await schema
          .alterTable(table)
          .addColumn('turn', 'integer', (column) => column.notNull().defaultTo(0))
          .execute();
      }
      await schema
        .createTable('process_pools')
        .addColumn('process_id', 'integer', (column) => column.notNull().references('processes.id'))
        .addColumn('pool', 'text', (column) => column.notNull())
        .addColumn('amount', 'integer', (column) => column.notNull())
        .addPrimaryKeyConstraint('process_pools_key', ['process_id', 'pool'])
        .execute();
      await schema.createIndex('process_pools_pool').on('process_pools').columns(['pool', 'amount']).execute();
      // Partial: what has ended costs nothing, however long the history grows.
      for (const name of ['processes_work', 'processes_kill', 'processes_due']) await schema.dropIndex(name).execute();
      const living = sql<boolean>`paused = 0 and stage is not null`;
      await schema
        .createIndex('processes_work')
        .on('processes')
        .columns(['computer_id', 'stage', 'due_at'])
        .where(living)
        .execute();
      await schema
        .createIndex('processes_order')
        .on('processes')
        .columns(['computer_id', 'stage', 'priority desc', 'turn', 'id'])
        .where(living)
        .execute();
      await schema
        .createIndex('processes_queue')
        .on('processes')
        .columns(['computer_id', 'id'])
        .where(sql<boolean>`stage = 'update'`)
        .execute();
      await schema
        .createIndex('processes_kill')
        .on('processes')
        .columns(['computer_id', 'due_at'])
        .where(sql<boolean>`kill_requested_at is not null and ended_at is null`)
        .execute();
      await schema
        .createIndex('processes_label')
        .on('processes')
        .columns(['computer_id', 'label', 'turn'])
        .where(sql<boolean>`ended_at is null`)
        .execute();
      await schema
        .createIndex('submissions_open')
        .on('submissions')
        .columns(['process_id'])
        .where(sql<boolean>`outcome = 'intended'`)
        .execute();
    },
  },
  '0003_control': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('settings')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute();
      // What a profile is called where several meet, such as a broker: its place may change, and names may be alike.
      await sql`insert into settings (name, value) values ('uuid', ${randomUUID()})`.execute(db);
    },
  },
  '0004_provenance': {
    async up(db: Kysely<unknown>) {
      const schema = db.schema;
      await schema
        .alterTable('processes')
        .addColumn('parent_id', 'integer', (column) => column.references('processes.id'))
        .execute();
      for (const name of ['lane', 'module', 'fingerprint'])
        await schema.alterTable('processes').addColumn(name, 'text').execute();
      await schema
        .alterTable('processes')
        .addColumn('version', 'integer', (column) => column.notNull().defaultTo(1))
        .execute();
      await schema
        .alterTable('processes')
        .addColumn('wakes', 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
      await schema.alterTable('processes').addColumn('cached_from', 'integer').execute();
      await schema.createIndex('processes_parent').on('processes').columns(['parent_id']).execute();
      await schema
        .createIndex('processes_lane')
        .on('processes')
        .columns(['lane', 'due_at'])
        .where(sql<boolean>`paused = 0 and stage is not null and lane is not null and due_at is not null`)
        .execute();
      // What was called is gone on with before anything new is begun.
      await schema
        .createIndex('processes_lane_called')
        .on('processes')
        .columns(['lane', 'due_at'])
        .where(
          sql<boolean>`paused = 0 and stage is not null and lane is not null and due_at is not null and parent_id is not null`,
        )
        .execute();
      await schema
        .createIndex('processes_lane_running')
        .on('processes')
        .columns(['lane'])
        .where(sql<boolean>`paused = 0 and lane is not null and state = 'running'`)
        .execute();
      await schema
        .createIndex('processes_lane_kill')
        .on('processes')
        .columns(['lane', 'due_at'])
        .where(sql<boolean>`kill_requested_at is not null and ended_at is null and lane is not null`)
        .execute();
      await schema
        .createIndex('processes_fingerprint')
        .on('processes')
        .columns(['fingerprint', 'id'])
        .where(sql<boolean>`fingerprint is not null and exit_status is not null`)
        .execute();
      await schema
        .createTable('data')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('uuid', 'text', (column) => column.notNull().unique())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('hash', 'text', (column) => column.notNull())
        .addColumn('content', 'text', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .execute();
      await schema
        .createTable('data_files')
        .addColumn('data_id', 'integer', (column) => column.notNull().references('data.id'))
        .addColumn('path', 'text', (column) => column.notNull())
        .addColumn('sha256', 'text', (column) => column.notNull())
        .addColumn('size', 'bigint', (column) => column.notNull())
        .addColumn('mode', 'integer', (column) => column.notNull())
        .addPrimaryKeyConstraint('data_files_key', ['data_id', 'path'])
        .execute();
      await schema
        .createTable('links')
        .addColumn('process_id', 'integer', (column) => column.notNull().references('processes.id'))
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('label', 'text', (column) => column.notNull())
        .addColumn('data_id', 'integer', (column) => column.notNull().references('data.id'))
        .addPrimaryKeyConstraint('links_key', ['process_id', 'type', 'label'])
        .execute();
      await schema.createIndex('links_data').on('links').columns(['data_id']).execute();
      await schema
        .createTable('records')
        .addColumn('process_id', 'integer', (column) => column.notNull().references('processes.id'))
        .addColumn('position', 'integer', (column) => column.notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('content', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('records_key', ['process_id', 'position'])
        .execute();
    },
  },
  '0005_codes': {
    async up(db: Kysely<unknown>) {
      const schema = db.schema;
      await schema
        .createTable('codes')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('uuid', 'text', (column) => column.notNull().unique())
        .addColumn('label', 'text', (column) => column.notNull())
        .addColumn('computer_id', 'integer', (column) => column.references('computers.id'))
        .addColumn('config', 'text', (column) => column.notNull())
        .addColumn('files', 'text', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('updated_at', 'bigint', (column) => column.notNull())
        .execute();
      await schema.createIndex('codes_label').unique().on('codes').columns(['label', 'computer_id']).execute();
      // To an index no two empty columns are the same.
      await schema
        .createIndex('codes_portable')
        .unique()
        .on('codes')
        .columns(['label'])
        .where(sql<boolean>`computer_id is null`)
        .execute();
    },
  },
  '0006_monitors': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('monitors')
        .addColumn('process_id', 'integer', (column) => column.primaryKey().references('processes.id'))
        .addColumn('due_at', 'bigint')
        .addColumn('state', 'text', (column) => column.notNull())
        .execute();
      await db.schema
        .createIndex('monitors_due')
        .on('monitors')
        .columns(['due_at'])
        .where(sql<boolean>`due_at is not null`)
        .execute();
    },
  },
  '0007_cleanings': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('cleanings')
        .addColumn('process_id', 'integer', (column) => column.primaryKey().references('processes.id'))
        .addColumn('computer_id', 'integer', (column) => column.notNull().references('computers.id'))
        .addColumn('requested_at', 'bigint', (column) => column.notNull())
        .addColumn('requested_by', 'integer', (column) => column.references('processes.id'))
        .addColumn('due_at', 'bigint')
        .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('cleaned_at', 'bigint')
        .addColumn('failure', 'text')
        .execute();
      await db.schema
        .createIndex('cleanings_due')
        .on('cleanings')
        .columns(['computer_id', 'due_at'])
        .where(sql<boolean>`due_at is not null`)
        .execute();
    },
  },
};
