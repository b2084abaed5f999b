-- The views: the contract with people and programs that read this file. They are made anew by every migration.
-- The comment behind AS describes the view, the one behind a column the column; docs/schema.md is generated from them.

CREATE VIEW coverage AS -- One row an item, as the head of its page reads.
SELECT
  i.item_id AS item_id,                               -- the item
  substr('JanFebMarAprMayJunJulAugSepOctNovDec', 3 * CAST(substr(i.published_at, 6, 2) AS INTEGER) - 2, 3) || ' '
    || CAST(substr(i.published_at, 9, 2) AS INTEGER) || ' • ' || substr(i.published_at, 12, 5) || ' UTC' AS label, -- "Feb 25 • 06:23 UTC"
  c.flag AS flag,                                     -- emoji of the outlet's country
  o.country AS country,                               -- its code, ISO 3166-1
  c.name AS country_name,                             -- its name in the reader's language
  o.name AS outlet,                                   -- publisher
  i.outlet_id AS outlet_id,                           -- its id
  i.feed_id AS feed_id,                               -- the feed it was first seen in
  f.region AS region,                                 -- part of the country the feed writes about
  i.language AS language,                             -- BCP 47 tag
  l.name AS language_name,                            -- its name in the reader's language
  i.title AS title,                                   -- as published
  i.summary AS summary,                               -- as published
  b.body AS body,                                     -- as published; NULL = none known
  b.body_html AS body_html,                           -- the same as sanitised HTML
  coalesce(b.origin, 'none') AS text_origin,          -- where the body comes from: none, feed, page
  b.model AS text_model,                              -- page: the extractor that took it from there, with its version
  b.made_at AS text_made_at,                          -- UTC, when the body was stored
  coalesce(nullif(x.summary, ''), i.summary) AS sentence, -- one sentence that says what happened, in the outlet's own words; the summary until one is chosen; '' = none
  CASE WHEN x.summary <> '' THEN x.origin WHEN i.summary <> '' THEN 'original' END AS sentence_origin, -- original: it is the summary; extractive: chosen from summary and body
  CASE WHEN i.language = r.value THEN i.title ELSE t.title END AS reader_title,       -- in the reader's language; NULL = not there yet
  CASE WHEN i.language = r.value THEN coalesce(nullif(x.summary, ''), nullif(i.summary, '')) ELSE nullif(t.summary, '') END AS reader_summary, -- one sentence in the reader's language; NULL = not there yet
  CASE WHEN i.language = r.value THEN b.body ELSE nullif(t.body, '') END AS reader_body, -- in the reader's language; NULL = not there yet
  CASE WHEN i.language = r.value THEN 'original' ELSE t.origin END AS reader_origin, -- original: the outlet's own words; else what made the reader_ texts: machine, outlet, person; NULL = there are none yet
  CASE WHEN i.language <> r.value THEN t.model END AS reader_model, -- the model that made them, with its version
  CASE WHEN i.language <> r.value THEN t.made_at END AS reader_made_at, -- UTC, when they were made
  i.url AS link,                                      -- the article
  i.image_url AS image_url,                           -- its picture; '' = none
  i.author AS author,                                 -- '' = none
  i.tags AS tags,                                     -- JSON array; '' = none
  i.published_at AS published_at,                     -- UTC
  i.date_source AS date_source,                       -- feed, clamped, first_seen
  i.first_seen_at AS first_seen_at,                   -- UTC
  i.updated_at AS updated_at,                         -- last edit seen; NULL = none
  i.retracted_at AS retracted_at,                     -- NULL = it stands
  m.story_id AS story_id,                             -- its story; NULL = not grouped yet
  coalesce(s.item_count - 1, 0) AS similar_count,     -- other items of its story
  m.similarity AS similarity,                         -- how surely it belongs to its story, 0-1
  m.reprint_of AS reprint_of                          -- the item whose text it repeats; NULL = a text of its own
FROM items AS i
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
JOIN languages AS l ON l.code = i.language
JOIN feeds AS f ON f.feed_id = i.feed_id
LEFT JOIN meta AS r ON r.key = 'reader_language'
LEFT JOIN bodies AS b ON b.item_id = i.item_id
LEFT JOIN translations AS t ON t.item_id = i.item_id AND t.language = r.value
LEFT JOIN translations AS x ON x.item_id = i.item_id AND x.language = i.language
LEFT JOIN story_items AS m ON m.item_id = i.item_id
LEFT JOIN stories AS s ON s.story_id = m.story_id
WHERE i.pruned_at IS NULL;

CREATE VIEW similar_coverage AS -- For each item, every other item of its story.
SELECT
  a.item_id AS item_id,                               -- the item you ask about
  m.story_id AS story_id,                             -- the story both are in
  m.item_id AS similar_item_id,                       -- the other item
  c.flag AS flag,                                     -- emoji of its country
  o.country AS country,                               -- code of its country
  c.name AS country_name,                             -- its name in the reader's language
  o.name AS outlet,                                   -- its publisher
  i.language AS language,                             -- BCP 47 tag
  l.name AS language_name,                            -- its name in the reader's language
  i.title AS title,                                   -- as published
  CASE WHEN i.language = r.value THEN i.title ELSE t.title END AS reader_title, -- in the reader's language; NULL = not there yet
  CASE WHEN i.language = r.value THEN 'original' ELSE t.origin END AS reader_origin, -- original: the outlet's own words; machine: a model's; outlet, person; NULL = there are none yet
  i.url AS link,                                      -- the article
  i.published_at AS published_at,                     -- UTC
  substr('JanFebMarAprMayJunJulAugSepOctNovDec', 3 * CAST(substr(i.published_at, 6, 2) AS INTEGER) - 2, 3) || ' '
    || CAST(substr(i.published_at, 9, 2) AS INTEGER) || ' • ' || substr(i.published_at, 12, 5) || ' UTC' AS label, -- "Feb 25 • 06:23 UTC"
  m.similarity AS similarity,                         -- how surely it belongs to the story, 0-1
  m.reprint_of AS reprint_of,                         -- the item whose text it repeats; NULL = a text of its own
  m.reprint_of IS NOT NULL AS reprint,                -- 1: a reprint; 0: a text of its own
  o.country = oa.country AS same_country              -- 1: from the same country as the item you ask about
FROM story_items AS a
JOIN items AS ia ON ia.item_id = a.item_id
JOIN outlets AS oa ON oa.outlet_id = ia.outlet_id
JOIN story_items AS m ON m.story_id = a.story_id AND m.item_id <> a.item_id
JOIN items AS i ON i.item_id = m.item_id
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
JOIN languages AS l ON l.code = i.language
LEFT JOIN meta AS r ON r.key = 'reader_language'
LEFT JOIN translations AS t ON t.item_id = i.item_id AND t.language = r.value;

CREATE VIEW top_stories AS -- Stories that more than one outlet tells; sort by score, and bound last_item_at to be quick.
SELECT
  s.story_id AS story_id,                             -- the story
  s.title AS title,                                   -- title of its lead item
  s.language AS language,                             -- language of that title
  s.flags AS flags,                                   -- flags of its countries, most items first
  s.countries AS countries,                           -- their codes, in the same order, divided by spaces
  s.languages AS languages,                           -- tags of its languages, most items first, divided by spaces
  s.item_count AS item_count,                         -- items
  s.outlet_count AS outlet_count,                     -- outlets
  s.independent_count AS independent_count,           -- outlets with a text of their own
  s.country_count AS country_count,                   -- countries
  s.language_count AS language_count,                 -- languages
  s.first_item_at AS first_item_at,                   -- UTC, earliest item
  s.last_item_at AS last_item_at,                     -- UTC, latest item
  s.lead_item_id AS lead_item_id,                     -- the item that stands for it
  s.first_item_id AS first_item_id,                   -- who reported first
  round((s.independent_count + 2 * (s.country_count - 1))
    * 24.0 / (24.0 + max(0.0, 24 * (julianday('now') - julianday(s.last_item_at)))), 3) AS score -- own texts, and other countries twice; half after a day of silence
FROM stories AS s
WHERE s.merged_into IS NULL AND s.outlet_count > 1;

CREATE VIEW story_heads AS -- For each story, its title and summary: as its lead item has them, and in the reader's language.
SELECT
  s.story_id AS story_id,                             -- the story
  s.lead_item_id AS lead_item_id,                     -- the item that stands for it
  c.flag AS flag,                                     -- emoji of that item's country
  o.name AS outlet,                                   -- its publisher
  i.language AS language,                             -- BCP 47 tag of its title and summary
  i.title AS title,                                   -- as published
  i.summary AS summary,                               -- as published; '' = none
  coalesce(nullif(e.summary, ''), i.summary) AS sentence, -- one sentence that says what happened, in the outlet's own words; the summary until one is chosen; '' = none
  CASE WHEN x.story_id IS NOT NULL THEN x.title WHEN i.language = r.value THEN i.title ELSE t.title END AS reader_title, -- in the reader's language; NULL = not there yet
  CASE WHEN x.story_id IS NOT NULL THEN nullif(x.summary, '') WHEN i.language = r.value THEN coalesce(nullif(e.summary, ''), nullif(i.summary, '')) ELSE nullif(t.summary, '') END AS reader_summary, -- one sentence in the reader's language; NULL = not there yet
  CASE WHEN x.story_id IS NOT NULL THEN x.origin WHEN i.language = r.value THEN 'original' ELSE t.origin END AS reader_origin, -- original: the outlet's own words; extractive: another outlet's of the story; machine: a model's; outlet, person; NULL = there are none yet
  CASE WHEN x.story_id IS NOT NULL THEN x.model WHEN i.language <> r.value THEN t.model END AS reader_model, -- the model that made them, with its version
  i.url AS link                                       -- the article
FROM stories AS s
JOIN items AS i ON i.item_id = s.lead_item_id
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
LEFT JOIN meta AS r ON r.key = 'reader_language'
LEFT JOIN story_texts AS x ON x.story_id = s.story_id AND x.language = r.value AND (x.origin <> 'extractive' OR i.language <> r.value)
LEFT JOIN translations AS t ON t.item_id = i.item_id AND t.language = r.value
LEFT JOIN translations AS e ON e.item_id = i.item_id AND e.language = i.language
WHERE s.merged_into IS NULL;

CREATE VIEW story_digest AS -- What a story's outlets add to its title and summary, for each language; sort by position.
SELECT
  d.story_id AS story_id,                             -- the story
  d.language AS language,                             -- of the sentence
  d.position AS position,                             -- 1 says most
  d.sentence AS sentence,                             -- what that outlet adds
  d.origin AS origin,                                 -- extractive: the outlet's own words; machine: of a translation
  c.flag AS flag,                                     -- emoji of its country
  o.name AS outlet,                                   -- its publisher
  d.item_id AS item_id,                               -- the item it is taken from
  i.url AS link                                       -- the article
FROM story_sentences AS d
JOIN items AS i ON i.item_id = d.item_id
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country;

CREATE VIEW first_reports AS -- For each story, who reported it first.
SELECT
  s.story_id AS story_id,                             -- the story
  i.item_id AS item_id,                               -- the first item, by published_at
  substr('JanFebMarAprMayJunJulAugSepOctNovDec', 3 * CAST(substr(i.published_at, 6, 2) AS INTEGER) - 2, 3) || ' '
    || CAST(substr(i.published_at, 9, 2) AS INTEGER) || ' • ' || substr(i.published_at, 12, 5) || ' UTC' AS label, -- "Feb 25 • 06:23 UTC"
  i.published_at AS published_at,                     -- UTC
  c.flag AS flag,                                     -- emoji of its country
  o.country AS country,                               -- code of its country
  c.name AS country_name,                             -- its name in the reader's language
  o.name AS outlet,                                   -- its publisher: the story was first reported by it
  i.language AS language,                             -- BCP 47 tag
  i.title AS title,                                   -- as published
  i.url AS link                                       -- the article
FROM stories AS s
JOIN items AS i ON i.item_id = s.first_item_id
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
WHERE s.merged_into IS NULL;

CREATE VIEW story_timeline AS -- The items of a story; sort by published_at, item_id: the first report comes first.
SELECT
  m.story_id AS story_id,                             -- the story
  i.item_id = s.first_item_id AS first,               -- 1: reported the story first
  substr('JanFebMarAprMayJunJulAugSepOctNovDec', 3 * CAST(substr(i.published_at, 6, 2) AS INTEGER) - 2, 3) || ' '
    || CAST(substr(i.published_at, 9, 2) AS INTEGER) || ' • ' || substr(i.published_at, 12, 5) || ' UTC' AS label, -- "Feb 25 • 06:23 UTC"
  i.published_at AS published_at,                     -- UTC
  CAST(round(1440 * (julianday(i.published_at) - julianday(s.first_item_at))) AS INTEGER) AS minutes, -- minutes after the first
  c.flag AS flag,                                     -- emoji of its country
  o.country AS country,                               -- code of its country
  c.name AS country_name,                             -- its name in the reader's language
  o.name AS outlet,                                   -- publisher
  i.language AS language,                             -- BCP 47 tag
  i.title AS title,                                   -- as published
  CASE WHEN i.language = r.value THEN i.title ELSE t.title END AS reader_title, -- in the reader's language; NULL = not there yet
  CASE WHEN i.language = r.value THEN 'original' ELSE t.origin END AS reader_origin, -- original: the outlet's own words; machine: a model's; outlet, person; NULL = there are none yet
  i.url AS link,                                      -- the article
  i.item_id AS item_id,                               -- the item
  m.similarity AS similarity,                         -- how surely it belongs to the story, 0-1
  m.reprint_of IS NOT NULL AS reprint                 -- 1: a reprint; 0: a text of its own
FROM story_items AS m
JOIN items AS i ON i.item_id = m.item_id
JOIN stories AS s ON s.story_id = m.story_id
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
LEFT JOIN meta AS r ON r.key = 'reader_language'
LEFT JOIN translations AS t ON t.item_id = i.item_id AND t.language = r.value;

CREATE VIEW stories_by_country AS -- For each story, each country that tells it.
SELECT
  m.story_id AS story_id,                             -- the story
  o.country AS country,                               -- code of the country
  c.flag AS flag,                                     -- its emoji
  c.name AS country_name,                             -- its name in the reader's language
  count(*) AS item_count,                             -- items from there
  count(DISTINCT i.outlet_id) AS outlet_count,        -- outlets from there
  count(DISTINCT CASE WHEN m.reprint_of IS NULL THEN i.outlet_id END) AS independent_count, -- of them with a text of their own
  replace(group_concat(DISTINCT i.language), ',', ' ') AS languages, -- language tags, divided by spaces
  min(i.published_at) AS first_item_at,               -- UTC, the first from there
  max(i.published_at) AS last_item_at                 -- UTC, the latest from there
FROM story_items AS m
JOIN items AS i ON i.item_id = m.item_id
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
GROUP BY m.story_id, o.country;

CREATE VIEW feed_health AS -- One row a feed of the catalogue: how it is and why.
SELECT
  f.feed_id AS feed_id,                               -- the feed
  c.flag AS flag,                                     -- emoji of its outlet's country
  o.country AS country,                               -- its code
  o.name AS outlet,                                   -- publisher
  f.url AS url,                                       -- as configured
  CASE WHEN f.removed_at IS NOT NULL THEN 'removed' WHEN f.paused OR NOT f.enabled THEN 'off' ELSE s.state END AS state, -- new, ok, failing, blocked, gone, off, removed
  s.last_error AS last_error,                         -- the last failure, in words
  s.failures AS failures,                             -- consecutive failures
  s.lossy_count AS lossy_count,                       -- polls that probably missed items
  s.last_poll_at AS last_poll_at,                     -- UTC, last request
  s.last_success_at AS last_success_at,               -- UTC, last good answer
  s.last_not_modified_at AS last_not_modified_at,     -- UTC, last 304
  s.last_new_item_at AS last_new_item_at,             -- UTC, last new item
  s.cadence_s AS cadence_s,                           -- typical seconds between new items
  f.removed_at IS NULL AND f.enabled AND NOT f.paused AND s.cadence_s IS NOT NULL AND s.last_new_item_at IS NOT NULL
    AND 86400 * (julianday('now') - julianday(s.last_new_item_at)) > 21600 + 5 * s.cadence_s AS stale, -- 1: silent for 6 hours and 5 times its own cadence
  s.interval_s AS interval_s,                         -- seconds between polls, as adapted
  s.next_poll_at AS next_poll_at,                     -- UTC, not before
  s.why AS why                                        -- why then
FROM feeds AS f
JOIN feed_state AS s ON s.feed_id = f.feed_id
JOIN outlets AS o ON o.outlet_id = f.outlet_id
JOIN countries AS c ON c.code = o.country;

CREATE VIEW polls_recent AS -- The log of polls with names; sort by poll_id DESC for the latest.
SELECT
  p.poll_id AS poll_id,                               -- grows with time
  p.started_at AS started_at,                         -- UTC
  p.feed_id AS feed_id,                               -- the feed
  c.flag AS flag,                                     -- emoji of its outlet's country
  o.name AS outlet,                                   -- publisher
  f.url AS url,                                       -- the feed, as configured
  p.outcome AS outcome,                               -- fetched, not_modified, failed
  p.status AS status,                                 -- HTTP status
  p.reason AS reason,                                 -- kind of failure
  p.detail AS detail,                                 -- the failure in words
  p.elapsed_ms AS elapsed_ms,                         -- milliseconds
  p.bytes AS bytes,                                   -- bytes received
  p.entries AS entries,                               -- entries in the feed
  p.new_items AS new_items,                           -- new ones
  p.edited_items AS edited_items,                     -- changed ones
  p.lossy AS lossy,                                   -- 1: items were probably missed before it
  p.next_poll_at AS next_poll_at,                     -- UTC
  p.why AS why                                        -- why then
FROM polls AS p
JOIN feeds AS f ON f.feed_id = p.feed_id
JOIN outlets AS o ON o.outlet_id = f.outlet_id
JOIN countries AS c ON c.code = o.country;

CREATE VIEW search AS -- Full text: WHERE words MATCH 'earthquake' ORDER BY rank; diacritics and case do not matter. FTS5's query syntax.
SELECT
  w.search_words AS words,                            -- what to MATCH
  w.rowid AS item_id,                                 -- the item
  w.rank AS rank,                                     -- best match first when ascending (BM25)
  coalesce(nullif(snippet(search_words, -1, '[', ']', '…', 24), ''), i.summary) AS snippet, -- the place, the words in brackets
  substr('JanFebMarAprMayJunJulAugSepOctNovDec', 3 * CAST(substr(i.published_at, 6, 2) AS INTEGER) - 2, 3) || ' '
    || CAST(substr(i.published_at, 9, 2) AS INTEGER) || ' • ' || substr(i.published_at, 12, 5) || ' UTC' AS label, -- "Feb 25 • 06:23 UTC"
  c.flag AS flag,                                     -- emoji of its country
  i.title AS title,                                   -- as published
  i.language AS language,                             -- BCP 47 tag
  o.name AS outlet,                                   -- publisher
  o.country AS country,                               -- code of its country
  i.published_at AS published_at,                     -- UTC
  i.url AS link,                                      -- the article
  m.story_id AS story_id                              -- its story; NULL = not grouped yet
FROM search_words AS w
JOIN items AS i ON i.item_id = w.rowid
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
LEFT JOIN story_items AS m ON m.item_id = w.rowid;

CREATE VIEW search_characters AS -- Full text in scripts without spaces, and Korean: WHERE characters MATCH '東京都' ORDER BY rank; three characters or more.
SELECT
  w.search_unspaced AS characters,                       -- what to MATCH
  w.rowid AS item_id,                                 -- the item
  w.rank AS rank,                                     -- best match first when ascending (BM25)
  snippet(search_unspaced, -1, '[', ']', '…', 24) AS snippet,       -- the place, the characters in brackets
  substr('JanFebMarAprMayJunJulAugSepOctNovDec', 3 * CAST(substr(i.published_at, 6, 2) AS INTEGER) - 2, 3) || ' '
    || CAST(substr(i.published_at, 9, 2) AS INTEGER) || ' • ' || substr(i.published_at, 12, 5) || ' UTC' AS label, -- "Feb 25 • 06:23 UTC"
  c.flag AS flag,                                     -- emoji of its country
  i.title AS title,                                   -- as published
  i.language AS language,                             -- BCP 47 tag
  o.name AS outlet,                                   -- publisher
  o.country AS country,                               -- code of its country
  i.published_at AS published_at,                     -- UTC
  i.url AS link,                                      -- the article
  m.story_id AS story_id                              -- its story; NULL = not grouped yet
FROM search_unspaced AS w
JOIN items AS i ON i.item_id = w.rowid
JOIN outlets AS o ON o.outlet_id = i.outlet_id
JOIN countries AS c ON c.code = o.country
LEFT JOIN story_items AS m ON m.item_id = w.rowid;
