package applications

import (
	"context"
	"errors"
	"fmt"

	"xorm.io/builder"
	"xorm.io/xorm"
)

func memo(n int, payload document) *Memo {
	return &Memo{UID: fmt.Sprint("memo-", n), CreatorID: int64(1 + n%2), CreatedTs: 1700000000 + int64(n), Content: fmt.Sprintf("dear diary %d, \U0001F642 and 'quotes'", n), Visibility: "PRIVATE", Payload: payload}
}

func (s *notes) memos() []operation {
	return []operation{
		{"creates a memo", func(ctx context.Context) (any, error) {
			m := memo(1, `{"property": {"hasLink": true}, "location": {"place": "at the hospital", "zoom": 7}, "tags": ["health"], "people": ["Charles Babbage"]}`)
			n, err := s.db.Context(ctx).Insert(m)
			return []any{n, m.ID}, err
		}},
		{"creates memos with a relation, in a transaction", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *xorm.Session) (any, error) {
				a, b := memo(2, `{"tags": ["work"]}`), memo(3, `{}`)
				if _, err := tx.Insert(a); err != nil {
					return nil, err
				}
				if _, err := tx.Insert(b); err != nil {
					return nil, err
				}
				return tx.Insert(&MemoRelation{MemoID: a.ID, RelatedID: b.ID, Kind: "COMMENT"})
			})
		}},
		{"creates a memo twice, and rolls back", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *xorm.Session) (any, error) {
				if _, err := tx.Where("uid = ?", "memo-1").Cols("content").Update(&Memo{Content: "dear diary, lost"}); err != nil {
					return nil, err
				}
				return tx.Insert(memo(1, `{}`))
			})
		}},
		{"creates a memo, and gives it up", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *xorm.Session) (any, error) {
				if _, err := tx.Insert(memo(9, `{"people": []}`)); err != nil {
					return nil, err
				}
				return nil, errors.New("a plug-in said no")
			})
		}},
		{"creates a memo without content", func(ctx context.Context) (any, error) {
			m := memo(4, `{"location": {"place": ""}}`)
			m.Content = ""
			return s.db.Context(ctx).Insert(m)
		}},
		{"finds a memo", func(ctx context.Context) (any, error) {
			return one[Memo](s.db.Context(ctx).Where("uid = ?", "memo-1"))
		}},
		{"lists memos by a dynamic filter", func(ctx context.Context) (any, error) {
			cond := builder.Eq{"creator_id": 2}.And(builder.Gt{"created_ts": 1700000000}).And(builder.In("visibility", "PRIVATE", "PROTECTED")).And(builder.Eq{"deleted_ts": 0})
			return find[Memo](s.db.Context(ctx).Where(cond).OrderBy("pinned DESC, created_ts DESC").Limit(2, 0))
		}},
		{"lists memos without content", func(ctx context.Context) (any, error) {
			return find[Memo](s.db.Context(ctx).Where("content = ''").Cols("id", "uid", "content"))
		}},
		{"lists comments of a memo", func(ctx context.Context) (any, error) {
			return find[Memo](s.db.Context(ctx).Where("id IN (SELECT related_id FROM memo_relation WHERE memo_id = ? AND kind = 'COMMENT')", 2))
		}},
		{"lists memos with their writers", func(ctx context.Context) (any, error) {
			return rows(ctx, s.w.db, "SELECT m.uid, m.content, u.nickname FROM memo m LEFT JOIN note_user u ON u.id = m.creator_id AND u.row_status = 'NORMAL' ORDER BY m.id")
		}},
		{"pins and edits a memo", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("uid = ? AND creator_id = ?", "memo-1", 2).Cols("pinned", "content").Update(&Memo{Pinned: true, Content: "dear diary 1, edited"})
		}},
		{"replaces a memo's payload", func(ctx context.Context) (any, error) {
			return s.exec(ctx, "UPDATE memo SET payload = ? WHERE uid = ?", `{"people": ["Charles Babbage", "Charles Babbage's friend"], "tags": []}`, "memo-2")
		}},
		{"deletes memos softly", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("creator_id = ? AND pinned = ?", 1, false).Cols("deleted_ts").Update(&Memo{DeletedTs: 1700009999})
		}},
		{"counts memos by writer", func(ctx context.Context) (any, error) {
			return rows(ctx, s.w.db, "SELECT creator_id, COUNT(*) AS n, MAX(created_ts) AS last FROM memo WHERE deleted_ts = 0 GROUP BY creator_id ORDER BY creator_id")
		}},
	}
}

func (s *notes) documents() []operation {
	tell := func(receiver int64, kind string) *Inbox {
		return &Inbox{SenderID: 1, ReceiverID: receiver, Status: "UNREAD", Message: document(`{"type": "` + kind + `", "snippet": "snippet of a memo", "activity": {"id": 7}}`)}
	}
	file := func(name, data string) *Resource {
		return &Resource{MemoID: pointer(int64(1)), Filename: name, Data: []byte(data), Size: int64(len(data))}
	}
	return []operation{
		{"lists memos with a link", func(ctx context.Context) (any, error) {
			where := "payload->'property'->>'hasLink' = 'true'"
			if !s.w.postgres() {
				where = "JSON_EXTRACT(payload, '$.property.hasLink') = true"
			}
			return find[Memo](s.db.Context(ctx).Where(where).Asc("id"))
		}},
		{"shows where a memo was written", func(ctx context.Context) (any, error) {
			text := "SELECT id, payload->'location'->>'place' AS place FROM memo ORDER BY id"
			if !s.w.postgres() {
				text = "SELECT id, JSON_UNQUOTE(JSON_EXTRACT(payload, '$.location.place')) AS place FROM memo ORDER BY id"
			}
			return rows(ctx, s.w.db, text)
		}},
		{"tells users", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Insert(tell(1, "MEMO_COMMENT"), tell(2, "MEMO_COMMENT"), tell(1, "VERSION_UPDATE"))
		}},
		{"lists what users are told, by type", func(ctx context.Context) (any, error) {
			return find[Inbox](s.db.Context(ctx).Where("receiver_id = ?", 1).And(s.path("message", "type")+" = ?", "MEMO_COMMENT").Desc("id"))
		}},
		{"counts what users are told, by type", func(ctx context.Context) (any, error) {
			return rows(ctx, s.w.db, "SELECT "+s.path("message", "type")+" AS kind, COUNT(*) AS n FROM inbox GROUP BY "+s.path("message", "type")+" ORDER BY 1")
		}},
		{"archives what users are told", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where(s.path("message", "type")+" = ?", "VERSION_UPDATE").Cols("status").Update(&Inbox{Status: "ARCHIVED"})
		}},
		{"stores files", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Insert(file("x-ray.png", "bytes-of-the-scan\x00\xff"), file("empty.txt", ""))
		}},
		{"finds a file by its name", func(ctx context.Context) (any, error) {
			return one[Resource](s.db.Context(ctx).Where("filename = ? AND memo_id = ?", "x-ray.png", 1))
		}},
		{"lists files without their bytes", func(ctx context.Context) (any, error) {
			return find[Resource](s.db.Context(ctx).Omit("data").Where("memo_id IS NOT NULL").Asc("id"))
		}},
		{"takes files from a memo", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("filename IN (?, ?)", "empty.txt", "nothing").Nullable("memo_id").Cols("memo_id").Update(&Resource{})
		}},
		{"deletes files of no memo", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("memo_id IS NULL").Delete(&Resource{})
		}},
	}
}
