-- A judge of uncertain pairs (optional): what it is to be asked, and what it said. See docs/stories.md.

CREATE TABLE to_judge (
  -- Pairs of items of which the last repair pass that looked at them was not sure whether they tell one event. A row goes when
  -- it is answered, when a pass is sure, and after a day.
  item_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE,  -- the lower id of the two
  other_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE, -- the higher
  stake REAL NOT NULL,                                                   -- how many items an answer is expected to put right; the higher first
  doubted_at TEXT NOT NULL,                                              -- the pass
  not_before TEXT NOT NULL,                                              -- earliest next attempt
  attempts INTEGER NOT NULL DEFAULT 0,                                   -- failed so far
  PRIMARY KEY (item_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX to_judge_by_other ON to_judge (other_id); -- for the foreign key
CREATE INDEX to_judge_due ON to_judge (stake DESC);    -- what is next

CREATE TABLE judgements (
  -- The log of what a judge was asked, one row a pair and answer; kept as long as polls, forty days at least, for repair passes go
  -- by it. Budgets are counted here.
  judgement_id INTEGER PRIMARY KEY AUTOINCREMENT,                         -- grows with time; no number is used twice, for passes go by what is new
  at TEXT NOT NULL,                                                       -- when
  item_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE,   -- the lower id of the two
  other_id INTEGER NOT NULL REFERENCES items(item_id) ON DELETE CASCADE,  -- the higher
  item_hash TEXT NOT NULL,                                                -- of the text that was judged of the one
  other_hash TEXT NOT NULL,                                               -- of the other's
  same INTEGER CHECK (same IN (0, 1)),                                    -- 1: they tell one event, 0: they do not, NULL: no answer
  void INTEGER NOT NULL DEFAULT 0 CHECK (void IN (0, 1)),                 -- 1: one of the texts has changed since: it counts no more
  known INTEGER NOT NULL DEFAULT 0 CHECK (known IN (0, 1)),               -- 1: the same texts had been judged before; nothing was asked
  model TEXT NOT NULL,                                                    -- who said it
  detail TEXT,                                                            -- why there is no answer, in words
  tokens_in INTEGER NOT NULL DEFAULT 0,                                   -- as the endpoint counts
  tokens_out INTEGER NOT NULL DEFAULT 0,                                  -- the same
  cost_microusd INTEGER NOT NULL DEFAULT 0,                               -- millionths of a US dollar, by the prices configured
  elapsed_ms INTEGER NOT NULL DEFAULT 0                                   -- milliseconds
) STRICT;
CREATE INDEX judgements_by_time ON judgements (at, cost_microusd);                                  -- budgets, and what still counts
CREATE INDEX judgements_by_item ON judgements (item_id);                                            -- why an item is where it is
CREATE INDEX judgements_by_other ON judgements (other_id);                                          -- the same
CREATE INDEX judgements_by_texts ON judgements (item_hash, other_hash) WHERE same IS NOT NULL;      -- no pair of texts is asked twice
