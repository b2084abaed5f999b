-- The first schema. Later changes are new files: this one is never edited once released.
-- The first comment inside the parentheses describes the table, the one behind a column the column; docs/schema.md is
-- generated from them. Instants are UTC text like 2026-02-25T06:23:00Z.

CREATE TABLE meta (
  -- Facts about this file, one a row: reader_language (a primary tag, as items have), reader_locale (as configured, of names),
  -- created_at, schema_semver, …
  key TEXT PRIMARY KEY, -- name of the fact
  value TEXT NOT NULL   -- its value
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
  -- What parts of the program remember between two runs; of no use to readers.
  name TEXT PRIMARY KEY, -- which part
  value BLOB NOT NULL    -- in a form of its own
) STRICT, WITHOUT ROWID;

CREATE TABLE countries (
  -- Countries, named in the reader's language (Unicode CLDR).
  code TEXT PRIMARY KEY, -- ISO 3166-1 alpha-2; '' = unknown
  name TEXT NOT NULL,    -- name in the reader's language
  flag TEXT NOT NULL     -- flag emoji; '' for the unknown one
) STRICT, WITHOUT ROWID;

CREATE TABLE languages (
  -- Languages, named in the reader's language (Unicode CLDR).
  code TEXT PRIMARY KEY, -- BCP 47 tag, mostly the primary one; '' = unknown
  name TEXT NOT NULL     -- name in the reader's language
) STRICT, WITHOUT ROWID;

CREATE TABLE outlets (
  -- Publishers. One outlet may have many feeds.
  outlet_id INTEGER PRIMARY KEY,                      -- stable id
  name TEXT NOT NULL,                                 -- as the catalogue writes it
  country TEXT NOT NULL REFERENCES countries(code),   -- where it is published
  UNIQUE (name, country)
) STRICT;

CREATE TABLE feeds (
  -- The catalogue: every feed ever configured. None is deleted; removed_at says when one left.
  feed_id INTEGER PRIMARY KEY,                               -- stable id
  outlet_id INTEGER NOT NULL REFERENCES outlets(outlet_id),  -- who publishes it
  url TEXT NOT NULL UNIQUE,                                  -- as configured; feed_state.url is what is requested now
  title TEXT NOT NULL DEFAULT '',                            -- the feed's own title
  homepage TEXT NOT NULL DEFAULT '',                         -- the site it belongs to
  language TEXT NOT NULL REFERENCES languages(code),         -- language of its items, unless they say otherwise
  region TEXT NOT NULL DEFAULT '',                           -- part of the country it writes about
  timezone TEXT NOT NULL DEFAULT '',                         -- IANA name, for dates without a zone
  hub TEXT NOT NULL DEFAULT '',                              -- WebSub hub the feed names
  source TEXT NOT NULL CHECK (source IN ('config', 'cli')),  -- who added it: a file of the catalogue, or a command
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),   -- 0: switched off in the catalogue
  paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),     -- 1: switched off by a command
  fulltext INTEGER NOT NULL DEFAULT 0 CHECK (fulltext IN (0, 1)), -- 1: article pages are fetched for the body
  verified INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)), -- 1: has been seen to answer by the catalogue's keepers
  added_at TEXT NOT NULL,                                    -- when it came into this file
  removed_at TEXT                                            -- when it left the configuration; NULL = it is in it
) STRICT;
CREATE INDEX feeds_by_outlet ON feeds (outlet_id);

CREATE TABLE feed_state (
  -- What the scheduler knows of a feed; replaced by every poll.
  feed_id INTEGER PRIMARY KEY REFERENCES feeds(feed_id), -- the feed
  url TEXT NOT NULL,                                     -- what is requested; differs from feeds.url after a move
  host TEXT NOT NULL,                                    -- host that answers url, after redirects: politeness counts by it
  next_poll_at TEXT NOT NULL,                            -- not before
  why TEXT NOT NULL,                                     -- why then, in words
  state TEXT NOT NULL CHECK (state IN ('new', 'ok', 'failing', 'blocked', 'gone')), -- health in one word
  etag TEXT,                                             -- validator, byte for byte
  last_modified TEXT,                                    -- validator, byte for byte
  validators_trusted INTEGER NOT NULL CHECK (validators_trusted IN (0, 1)), -- 0: this server's 304s were wrong
  body_hash TEXT,                                        -- of the last body
  window BLOB NOT NULL,                                  -- 8-byte digests of the last body's entries, joined
  interval_s INTEGER NOT NULL,                           -- seconds between polls, as adapted
  cadence_s INTEGER,                                     -- typical seconds between new items
  failures INTEGER NOT NULL,                             -- consecutive failures
  gone_count INTEGER NOT NULL,                           -- consecutive answers 410 Gone
  lossy_count INTEGER NOT NULL,                          -- polls that shared no entry with the one before: items missed
  redirect_url TEXT,                                     -- where a permanent redirect points …
  redirect_since TEXT,                                   -- … and since when
  last_poll_at TEXT,                                     -- last request
  last_success_at TEXT,                                  -- last answer that was a feed, or a 304
  last_not_modified_at TEXT,                             -- last 304
  last_unconditional_at TEXT,                            -- last request without validators
  last_new_item_at TEXT,                                 -- last poll that brought a new item
  last_error TEXT,                                       -- the last failure, in words
  hint_s INTEGER,                                        -- seconds between polls that the feed's own ttl or sy:updatePeriod asks for
  skip_hours INTEGER NOT NULL,                           -- hours that skipHours names: bit h is set for hour h of UTC
  skip_days INTEGER NOT NULL,                            -- days that skipDays names: bit d, 0 = Monday
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)) -- 1: is polled: neither removed nor paused nor switched off
) STRICT;
CREATE INDEX feed_state_due ON feed_state (active, next_poll_at, host); -- "what is due", asked every few seconds

CREATE TABLE host_holds (
  -- Hosts that asked for a pause (Retry-After): none of their feeds is requested before `until`.
  host TEXT PRIMARY KEY, -- host name
  until TEXT NOT NULL,   -- end of the pause
  reason TEXT NOT NULL   -- what it answered
) STRICT, WITHOUT ROWID;

CREATE TABLE polls (
  -- The log of requests, one row a poll; kept for [retention] polls_days.
  poll_id INTEGER PRIMARY KEY,                             -- grows with time
  feed_id INTEGER NOT NULL REFERENCES feeds(feed_id),      -- the feed
  started_at TEXT NOT NULL,                                -- when
  elapsed_ms INTEGER NOT NULL,                             -- milliseconds the exchange took
  outcome TEXT NOT NULL CHECK (outcome IN ('fetched', 'not_modified', 'failed')), -- what came of it
  status INTEGER,                                          -- HTTP status; NULL when there was no answer
  reason TEXT,                                             -- kind of failure, or NULL
  detail TEXT,                                             -- the failure in words, or NULL
  bytes INTEGER NOT NULL,                                  -- bytes received
  entries INTEGER NOT NULL DEFAULT 0,                      -- entries in the feed
  new_items INTEGER NOT NULL DEFAULT 0,                    -- of them new to the outlet
  edited_items INTEGER NOT NULL DEFAULT 0,                 -- of them changed since
  lossy INTEGER NOT NULL DEFAULT 0 CHECK (lossy IN (0, 1)), -- 1: shared no entry with the poll before
  next_poll_at TEXT NOT NULL,                              -- next one
  why TEXT NOT NULL                                        -- why then, in words
) STRICT;
CREATE INDEX polls_by_feed ON polls (feed_id); -- holds poll_id too: a feed's polls in order of time

CREATE TABLE items (
  -- One article of one outlet. What retention removes stays as an empty row (pruned_at), so that it does not come back
  -- as new while a feed still lists it.
  item_id INTEGER PRIMARY KEY AUTOINCREMENT,                -- stable id, in the order items were first seen
  outlet_id INTEGER NOT NULL REFERENCES outlets(outlet_id), -- who published it
  feed_id INTEGER NOT NULL REFERENCES feeds(feed_id),       -- the feed it was first seen in
  language TEXT NOT NULL REFERENCES languages(code),        -- language of title and summary
  published_at TEXT NOT NULL,                               -- when published; see date_source
  date_source TEXT NOT NULL CHECK (date_source IN ('feed', 'clamped', 'first_seen')), -- feed: as told; clamped: told a future; first_seen: told none
  first_seen_at TEXT NOT NULL,                              -- when this program first saw it
  updated_at TEXT,                                          -- last edit seen; NULL = none
  retracted_at TEXT,                                        -- when the outlet withdrew it; NULL = it stands
  pruned_at TEXT,                                           -- when retention emptied it; NULL = it is whole
  title TEXT NOT NULL,                                      -- plain text
  summary TEXT NOT NULL,                                    -- plain text; '' = none
  url TEXT NOT NULL,                                        -- link as the feed gives it
  canonical_url TEXT NOT NULL,                              -- the same without tracking, AMP, mobile hosts
  author TEXT NOT NULL,                                     -- '' = none
  image_url TEXT NOT NULL,                                  -- '' = none
  tags TEXT NOT NULL CHECK (tags = '' OR json_valid(tags)), -- JSON array of strings; '' = none
  published_raw TEXT NOT NULL,                              -- the date as the feed writes it
  content_hash TEXT NOT NULL,                               -- changes with an edit that matters
  title_key TEXT NOT NULL,                                  -- the title in a form for comparison
  title_hash INTEGER NOT NULL                               -- 64 bits of title_key's BLAKE2b: a tenth of the index a text would need
) STRICT;
CREATE INDEX items_by_url ON items (canonical_url);              -- identity, and "what is known of this link"
CREATE INDEX items_by_title ON items (outlet_id, title_hash);    -- identity: same outlet, same title
CREATE INDEX items_by_feed ON items (feed_id, pruned_at); -- a feed's items in the order they were seen
CREATE INDEX items_pruned ON items (pruned_at) WHERE pruned_at IS NOT NULL; -- the empty rows
CREATE INDEX items_by_time ON items (published_at);              -- new items are mostly of now, so it grows at its end and stays cheap

CREATE TABLE bodies (
  -- Texts of items that have one; apart, so that reading titles does not read them.
  item_id INTEGER PRIMARY KEY REFERENCES items(item_id) ON DELETE CASCADE, -- the item
  body TEXT NOT NULL,                                       -- plain text, paragraphs divided by an empty line
  body_html TEXT NOT NULL,                                  -- sanitised HTML; '' = none
  origin TEXT NOT NULL CHECK (origin IN ('feed', 'page')),  -- feed: the entry carried it; page: taken from the article's page
  model TEXT NOT NULL DEFAULT '',                           -- page: the extractor and its version
  made_at TEXT NOT NULL                                     -- when it was stored
) STRICT;

CREATE TABLE sightings (
  -- Entries of feeds: which item a feed's guid stands for.
  feed_id INTEGER NOT NULL REFERENCES feeds(feed_id),                        -- the feed
  guid_hash INTEGER NOT NULL,                                                -- 64 bits of the guid's BLAKE2b: keeps the keys short
  item_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE,      -- the item
  guid TEXT,                                                                 -- the entry's id in it; NULL = its link
  digest BLOB NOT NULL,                                                      -- of the raw entry as last read, as in feed_state.window
  said TEXT NOT NULL,                                                        -- content hash of what this entry said last; another one than the item's when a sister feed words it otherwise
  first_seen_at TEXT NOT NULL,                                               -- when this feed first listed it
  PRIMARY KEY (feed_id, guid_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_by_item ON sightings (item_id); -- in which feeds an item is; for the foreign key

CREATE TABLE revisions (
  -- Earlier texts of items that were edited.
  revision_id INTEGER PRIMARY KEY,                                      -- id, in order of time
  item_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE, -- the item
  seen_at TEXT NOT NULL,                                                -- when the edit was seen: the texts here stood until then
  changed TEXT NOT NULL CHECK (json_valid(changed)),                    -- JSON array of what changed: title, summary, body, published_at
  title TEXT NOT NULL,                                                  -- as it was
  summary TEXT NOT NULL,                                                -- as it was
  body TEXT NOT NULL,                                                   -- as it was
  published_at TEXT NOT NULL                                            -- as it was
) STRICT;
CREATE INDEX revisions_by_item ON revisions (item_id);

CREATE TABLE vectors (
  -- Sentence embeddings, one an item.
  item_id INTEGER PRIMARY KEY REFERENCES items(item_id) ON DELETE CASCADE, -- the item
  model TEXT NOT NULL,                                                     -- what made it
  vector BLOB NOT NULL                                                     -- little-endian float16, L2-normalised
) STRICT;

CREATE TABLE stories (
  -- Clusters of items on one event. Ids are stable; a story that was merged into another stays and leads there.
  story_id INTEGER PRIMARY KEY AUTOINCREMENT,                          -- stable id
  merged_into INTEGER REFERENCES stories(story_id) ON DELETE CASCADE,  -- the story it became part of; NULL = it stands
  title TEXT NOT NULL DEFAULT '',                                      -- the lead item's
  language TEXT NOT NULL DEFAULT '',                                   -- the lead item's
  lead_item_id INTEGER REFERENCES items(item_id) ON DELETE SET NULL,   -- the most central item, of the reader's language when there is one
  first_item_id INTEGER REFERENCES items(item_id) ON DELETE SET NULL,  -- who reported first
  item_count INTEGER NOT NULL DEFAULT 0,                               -- items
  outlet_count INTEGER NOT NULL DEFAULT 0,                             -- outlets
  independent_count INTEGER NOT NULL DEFAULT 0,                        -- outlets with a text of their own: reprints are not counted
  country_count INTEGER NOT NULL DEFAULT 0,                            -- countries
  language_count INTEGER NOT NULL DEFAULT 0,                           -- languages
  countries TEXT NOT NULL DEFAULT '',                                  -- their codes, most items first: "FR DE JP"
  flags TEXT NOT NULL DEFAULT '',                                      -- their flags, in the same order
  languages TEXT NOT NULL DEFAULT '',                                  -- tags of its languages, most items first: "fr de ja"
  first_item_at TEXT,                                                  -- published_at of the earliest item
  last_item_at TEXT,                                                   -- published_at of the latest item
  created_at TEXT NOT NULL,                                            -- when the story was formed
  updated_at TEXT NOT NULL                                             -- when its items last changed
) STRICT;
CREATE INDEX stories_by_time ON stories (last_item_at) WHERE merged_into IS NULL;                    -- live stories
CREATE INDEX stories_shared_by_time ON stories (last_item_at) WHERE merged_into IS NULL AND outlet_count > 1; -- top stories: few of all
CREATE INDEX stories_by_lead ON stories (lead_item_id) WHERE lead_item_id IS NOT NULL;               -- for the foreign key
CREATE INDEX stories_by_first ON stories (first_item_id) WHERE first_item_id IS NOT NULL;            -- the same
CREATE INDEX stories_merged ON stories (merged_into) WHERE merged_into IS NOT NULL;                  -- for the foreign key

CREATE TABLE story_items (
  -- Which story an item belongs to, and why. An item without a row here is not clustered yet (see to_cluster).
  item_id INTEGER PRIMARY KEY REFERENCES items(item_id) ON DELETE CASCADE, -- the item
  story_id INTEGER NOT NULL REFERENCES stories(story_id),                  -- its story
  seq INTEGER NOT NULL UNIQUE,                                             -- order of clustering
  similarity REAL NOT NULL,                                                -- 0-1, probability that it belongs there; 1 for the first
  nearest_item_id INTEGER REFERENCES items(item_id) ON DELETE SET NULL,    -- the member that spoke most for it
  reprint_of INTEGER REFERENCES items(item_id) ON DELETE SET NULL,         -- the earliest item whose text it repeats; NULL = a text of its own
  reasons TEXT NOT NULL CHECK (json_valid(reasons)),                       -- JSON object of what spoke for it
  assigned_at TEXT NOT NULL                                                -- when it was put there
) STRICT;
CREATE INDEX story_items_by_story ON story_items (story_id); -- a story's items
CREATE INDEX story_items_by_nearest ON story_items (nearest_item_id) WHERE nearest_item_id IS NOT NULL; -- for the foreign key
CREATE INDEX story_items_by_original ON story_items (reprint_of) WHERE reprint_of IS NOT NULL;          -- an item's reprints

CREATE TABLE to_cluster (
  -- Items that wait to be grouped, in order.
  item_id INTEGER PRIMARY KEY REFERENCES items(item_id) ON DELETE CASCADE -- the item
) STRICT;

CREATE TABLE translations (
  -- Texts that were made for items: in another language, or in the item's own where the outlet gives no summary.
  item_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE, -- the item
  language TEXT NOT NULL REFERENCES languages(code),                    -- of the texts here
  title TEXT NOT NULL,                                                  -- translated
  summary TEXT NOT NULL,                                                -- translated or made; '' = none
  body TEXT NOT NULL,                                                   -- translated or made, paragraphs divided by an empty line; '' = none
  origin TEXT NOT NULL CHECK (origin IN ('extractive', 'machine', 'outlet', 'person')), -- extractive: sentences of the article; machine: a model's words
  model TEXT NOT NULL,                                                  -- what made it, with its version; '' = not a model
  source_hash TEXT NOT NULL,                                            -- of the texts it was made from; '' = made by a person
  made_at TEXT NOT NULL,                                                -- when
  PRIMARY KEY (item_id, language)
) STRICT, WITHOUT ROWID;
CREATE INDEX translations_by_source ON translations (source_hash) WHERE origin = 'machine'; -- a reprint need not be translated twice

CREATE TABLE story_texts (
  -- Titles and summaries that were made for stories.
  story_id INTEGER NOT NULL REFERENCES stories(story_id) ON DELETE CASCADE, -- the story
  language TEXT NOT NULL REFERENCES languages(code),                        -- of the texts here
  title TEXT NOT NULL,                                                      -- its title
  summary TEXT NOT NULL,                                                    -- what happened; '' = none
  origin TEXT NOT NULL CHECK (origin IN ('extractive', 'machine', 'person')), -- extractive: sentences of its items; machine: a model's words
  model TEXT NOT NULL,                                                      -- what made it, with its version; '' = not a model
  item_ids TEXT NOT NULL CHECK (json_valid(item_ids)),                      -- JSON array: the items it was made from
  made_at TEXT NOT NULL,                                                    -- when
  PRIMARY KEY (story_id, language)
) STRICT, WITHOUT ROWID;

CREATE TABLE story_sentences (
  -- What a story's outlets add to its title and summary: sentences of different outlets, for each language.
  story_id INTEGER NOT NULL REFERENCES stories(story_id) ON DELETE CASCADE, -- the story
  language TEXT NOT NULL REFERENCES languages(code),                        -- of the sentence
  position INTEGER NOT NULL,                                                -- 1 says most
  item_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE,     -- the item it is taken from
  sentence TEXT NOT NULL,                                                   -- plain text
  origin TEXT NOT NULL CHECK (origin IN ('extractive', 'machine')),         -- extractive: the outlet's own words; machine: of a translation
  PRIMARY KEY (story_id, language, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX story_sentences_by_item ON story_sentences (item_id); -- for the foreign key

CREATE TABLE to_enrich (
  -- Texts that are still to be fetched or made; a row goes when its text is there. One that was given up stays for some days,
  -- so that it is not tried again until the item is edited.
  task TEXT NOT NULL CHECK (task IN ('page', 'item', 'story')), -- page: an article's page for its body; item, story: texts in `language`
  subject_id INTEGER NOT NULL,                                  -- item_id; story_id when task is story
  language TEXT NOT NULL DEFAULT '',                            -- of the texts to make; '' for pages
  priority INTEGER NOT NULL DEFAULT 0,                          -- the higher first
  not_before TEXT NOT NULL,                                     -- earliest next attempt; when given up: when that was
  given_up INTEGER NOT NULL DEFAULT 0 CHECK (given_up IN (0, 1)), -- 1: not tried again
  attempts INTEGER NOT NULL DEFAULT 0,                          -- failed so far
  last_error TEXT,                                              -- the last failure, in words
  PRIMARY KEY (task, subject_id, language)
) STRICT, WITHOUT ROWID;
CREATE INDEX to_enrich_due ON to_enrich (task, priority DESC, subject_id DESC) WHERE given_up = 0; -- what is next

CREATE TABLE enrichments (
  -- The log of what was asked of pages and models, one row a call; kept as long as polls. Budgets are counted here.
  enrichment_id INTEGER PRIMARY KEY,                                            -- grows with time
  at TEXT NOT NULL,                                                             -- when
  task TEXT NOT NULL CHECK (task IN ('page', 'item', 'story')),                 -- as in to_enrich
  subject_id INTEGER NOT NULL,                                                  -- item_id; story_id when task is story
  language TEXT NOT NULL DEFAULT '',                                            -- of the texts made
  model TEXT NOT NULL DEFAULT '',                                               -- what was asked
  outcome TEXT NOT NULL CHECK (outcome IN ('made', 'rejected', 'failed')),      -- rejected: it answered, but the text did not pass the checks
  detail TEXT,                                                                  -- why not, in words
  tokens_in INTEGER NOT NULL DEFAULT 0,                                         -- as the endpoint counts
  tokens_out INTEGER NOT NULL DEFAULT 0,                                        -- the same
  cost_microusd INTEGER NOT NULL DEFAULT 0,                                     -- millionths of a US dollar, by the prices configured
  elapsed_ms INTEGER NOT NULL DEFAULT 0                                         -- milliseconds
) STRICT;
CREATE INDEX enrichments_by_time ON enrichments (at, cost_microusd); -- what the last hour and day cost

CREATE TABLE changes (
  -- Append-only sequence of all that happened: follow it with WHERE seq > ?
  seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- grows; no number is used twice
  at TEXT NOT NULL,                       -- when
  kind TEXT NOT NULL CHECK (kind IN ('new', 'edited', 'clustered', 'moved', 'merged', 'split', 'retracted', 'pruned', 'enriched', 'feed_state', 'alert', 'restored')), -- what
  item_id INTEGER,                        -- the item, when it is about one
  story_id INTEGER,                       -- the story it is in now, when it is about one
  feed_id INTEGER,                        -- the feed, when it is about one
  detail TEXT CHECK (detail IS NULL OR json_valid(detail)) -- JSON object: edited: changed; moved: from; merged: from; split: from, items; enriched: language, texts; feed_state: from, to, why; alert: alert, message, over; restored: backup
) STRICT;

CREATE TABLE notes (
  -- Yours: the program creates this table and never writes to it. Retention keeps what is noted here.
  note_id INTEGER PRIMARY KEY,                                       -- id
  story_id INTEGER,                                                  -- the story it is about, or NULL
  item_id INTEGER,                                                   -- the item it is about, or NULL
  starred INTEGER NOT NULL DEFAULT 0 CHECK (starred IN (0, 1)),      -- 1: a favourite
  note TEXT NOT NULL DEFAULT '',                                     -- your words
  made_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')) -- when
) STRICT;
CREATE INDEX notes_by_story ON notes (story_id);
CREATE INDEX notes_by_item ON notes (item_id);

-- What the full-text indexes cover. Neither keeps a copy of the texts: they read them here for snippets.
CREATE VIEW search_texts AS -- The texts of items as the full-text indexes read them.
SELECT
  i.item_id AS item_id,                -- the item
  i.title AS title,                    -- its title
  i.summary AS summary,                -- its summary
  coalesce(b.body, '') AS body,        -- its body
  '' AS pairs                          -- overlapping pairs of characters, and words without marks; indexed only
FROM items AS i LEFT JOIN bodies AS b ON b.item_id = i.item_id;

-- Words, diacritics folded. Scripts without spaces and Korean are in `pairs` as overlapping pairs of characters, so that
-- a word of two characters is found; Greek, Cyrillic, Arabic and Hebrew words with marks are there without them. Marks (M*) belong to words: without them Hindi and Thai fall apart at every vowel.
CREATE VIRTUAL TABLE search_words USING fts5 (
  title, summary, body, pairs,
  content = 'search_texts', content_rowid = 'item_id',
  tokenize = "unicode61 remove_diacritics 2 categories 'L* M* N* Co'"
);

-- Items with Chinese, Japanese, Korean, Thai, Lao, Khmer or Burmese text only: any three characters or more are found.
CREATE VIRTUAL TABLE search_unspaced USING fts5 (
  title, summary, body,
  content = 'search_texts', content_rowid = 'item_id',
  tokenize = "trigram"
);
