package branchkey

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
)

const (
	fileVersion = 1
	maxFile     = 256 << 20
)

// FileStore is a [Store] in one JSON file, which is a YAML file too. Changes
// are atomic (a new file takes the old one's place once it is on the disk), the file is
// readable by its owner only, and writers of all processes of the machine exclude one
// another by a lock on the file PATH.lock beside it. Reading needs no lock.
type FileStore struct{ path string }

var _ Store = (*FileStore)(nil)

// NewFileStore returns the store in the file of that path, which the first
// branch key makes. Its directory must be there.
func NewFileStore(path string) (*FileStore, error) {
	if path == "" {
		return nil, errors.New("branchkey: a file store needs the file's path")
	}
	return &FileStore{path: path}, nil
}

// Name implements [Store]; it is [DefaultTable], as of the SQL store.
func (s *FileStore) Name() string { return DefaultTable }

type fileContent struct {
	Version int        `json:"version"`
	Items   []fileItem `json:"items"`
}

type fileItem struct {
	BranchKeyID string            `json:"branch-key-id"`
	Type        string            `json:"type"`
	Version     string            `json:"version,omitempty"`
	Wrapped     []byte            `json:"enc"`
	KeyARN      string            `json:"kms-arn"`
	CreateTime  string            `json:"create-time"`
	Context     map[string]string `json:"context,omitempty"`
}

func (s *FileStore) read() ([]Item, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB; use the SQL store for so many branch keys", s.path, maxFile>>20)
	}
	var content fileContent
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&content); err != nil {
		return nil, fmt.Errorf("%s holds no branch keys: %w", s.path, err)
	}
	if content.Version != fileVersion {
		return nil, fmt.Errorf("%s: version %d of the file format is not known", s.path, content.Version)
	}
	items := make([]Item, len(content.Items))
	for i, f := range content.Items {
		items[i] = Item(f)
	}
	return items, nil
}

// write puts a new file in the old one's place.
func (s *FileStore) write(items []Item) (err error) {
	content := fileContent{Version: fileVersion, Items: make([]fileItem, len(items))}
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.BranchKeyID, b.BranchKeyID), cmp.Compare(a.Type, b.Type))
	})
	for i, x := range items {
		content.Items[i] = fileItem(x)
	}
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(s.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // err says what went wrong
		}
	}()
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), s.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// change replaces the file's items by what f makes of them.
func (s *FileStore) change(ctx context.Context, f func([]Item) ([]Item, error)) error {
	unlock, err := lockFile(ctx, s.path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	items, err := s.read()
	if err == nil {
		items, err = f(items)
	}
	if err != nil {
		return err
	}
	return s.write(items)
}

// Items implements [Store].
func (s *FileStore) Items(ctx context.Context, id, typ string) ([]Item, error) {
	return covered(s.All(ctx), id, typ)
}

// All implements [Store].
func (s *FileStore) All(ctx context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		err := ctx.Err()
		var items []Item
		if err == nil {
			items, err = s.read()
		}
		if err != nil {
			yield(Item{}, err)
			return
		}
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// Create implements [Store].
func (s *FileStore) Create(ctx context.Context, items []Item) error {
	return s.change(ctx, func(have []Item) ([]Item, error) {
		if slices.ContainsFunc(have, func(i Item) bool { return i.BranchKeyID == items[0].BranchKeyID }) {
			return nil, ErrExists
		}
		return append(have, items...), nil
	})
}

// Rotate implements [Store].
func (s *FileStore) Rotate(ctx context.Context, items []Item, old []byte) error {
	id := items[0].BranchKeyID
	return s.change(ctx, func(have []Item) ([]Item, error) {
		active, err := pick(have, id, typeActive)
		if err != nil || !bytes.Equal(active.Wrapped, old) {
			return nil, ErrConflict
		}
		have = slices.DeleteFunc(have, func(i Item) bool { return i.BranchKeyID == id && Covers(typeActive, i.Type) })
		return append(have, items...), nil
	})
}

// Delete implements [Store].
func (s *FileStore) Delete(ctx context.Context, id string) error {
	return s.change(ctx, func(have []Item) ([]Item, error) {
		n := len(have)
		have = slices.DeleteFunc(have, func(i Item) bool { return i.BranchKeyID == id })
		if len(have) == n {
			return nil, ErrNotFound
		}
		return have, nil
	})
}
