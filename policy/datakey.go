package policy

import (
	"fmt"
	"regexp"

	"gopkg.in/yaml.v3"
)

func (d *decoder) dataKey(n *yaml.Node, path string) DataKey {
	k := DataKey{Per: "value", ContentKeys: -1}
	for _, f := range d.fields(n, path, "per", "max_age", "max_messages", "max_bytes", "capacity", "store", "ttl", "branch_key", "content_keys") {
		path := join(path, f.key)
		switch f.key {
		case "per":
			k.Per = d.oneOf(f.value, path, "value", "cached", "branch")
		case "max_age":
			k.MaxAge = d.duration(f.value, path)
		case "max_messages":
			k.MaxMessages = d.number(f.value, path, 1, 1<<32)
		case "max_bytes":
			k.MaxBytes = d.number(f.value, path, 1, 1<<62)
		case "capacity":
			k.Capacity = d.number(f.value, path, 1, 1<<24)
		case "store":
			k.Store = d.text(f.value, path)
			if k.Store != "" && !storeForm.MatchString(k.Store) {
				d.fail(f.value, path, fmt.Sprintf("%q is no store of branch keys", k.Store), "write sql, sql:TABLE, file:PATH, or code:NAME for one set with driver.WithBranchKeyStore")
			}
		case "ttl":
			k.TTL = d.duration(f.value, path)
		case "content_keys":
			k.ContentKeys = d.number(f.value, path, 0, 1<<24)
		case "branch_key":
			if f.value.Kind == yaml.ScalarNode {
				k.BranchKey = d.text(f.value, path)
				continue
			}
			for _, o := range d.fields(f.value, path, "from") {
				k.BranchKeyFrom = d.text(o.value, join(path, "from"))
			}
		}
	}
	d.checkDataKey(n, path, k)
	if k.ContentKeys < 0 && k.HasBranchKeys() {
		k.ContentKeys = defaultContentKeys
	}
	k.ContentKeys = max(0, k.ContentKeys)
	return k
}

// defaultContentKeys is how many content keys are kept beside branch keys.
const defaultContentKeys = 2000

// storeForm is what the field store may say.
var storeForm = regexp.MustCompile(`^(sql|sql:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?|file:.+|code:.+)$`)

// saysBranchKeys reports whether a field of k belongs to branch keys.
func saysBranchKeys(k DataKey) bool {
	return k.Per == "branch" || k.Store != "" || k.TTL != 0 || k.BranchKey != "" || k.BranchKeyFrom != "" || k.ContentKeys >= 0
}

func (d *decoder) checkDataKey(n *yaml.Node, path string, k DataKey) {
	branch := saysBranchKeys(k)
	cached := k.MaxAge != 0 || k.MaxMessages != 0 || k.MaxBytes != 0 || k.Capacity != 0 && !branch
	switch {
	case k.Per != "cached" && cached:
		d.fail(n, path, "max_age, max_messages, max_bytes and capacity belong to cached data keys", "write per: cached, or take them out")
	case k.Per == "cached" && k.MaxAge == 0:
		d.fail(n, join(path, "max_age"), "the field is missing", "say for how long a data key may be used, such as 5m")
	case k.BranchKey != "" && len(k.BranchKey) > 255:
		d.fail(n, join(path, "branch_key"), "a branch key's id has 255 bytes at most", "shorten it")
	case branch && (k.Store == "" || k.TTL == 0 || k.BranchKey == "" && k.BranchKeyFrom == ""):
		d.fail(n, path, "branch keys need store, ttl and branch_key", "add what is missing")
	}
}
