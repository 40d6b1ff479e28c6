package logs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// A change is one line of the catalog: what groups and streams there are.
type change struct {
	Op        string `json:"op"` // group, dropGroup, stream, dropStream, retention, next
	Group     uint32 `json:"group,omitempty"`
	Stream    uint32 `json:"stream,omitempty"`
	Name      string `json:"name,omitempty"`
	Created   int64  `json:"created,omitempty"` // epoch ms
	Retention int    `json:"retention,omitempty"`
	Next      uint32 `json:"next,omitempty"` // the first ID that was never used
}

// catalog is the file of changes: appended and synced one by one, written anew
// at every start. IDs of groups and streams are never used twice.
type catalog struct {
	mu   sync.Mutex // guards the rest
	file *os.File
	next uint32
}

const catalogName = "catalog.jsonl"

// openCatalog replays the file in dir. A torn last line is cut off.
func openCatalog(dir string, replay func(change) error) (*catalog, error) {
	path := filepath.Join(dir, catalogName)
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c := &catalog{next: 1}
	end := bytes.LastIndexByte(raw, '\n') + 1
	lines := bufio.NewScanner(bytes.NewReader(raw[:end]))
	lines.Buffer(nil, 64<<10)
	n := 0
	for lines.Scan() {
		n++
		var ch change
		if err := json.Unmarshal(lines.Bytes(), &ch); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		c.next = max(c.next, ch.Group+1, ch.Stream+1, ch.Next)
		if err := replay(ch); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// rewrite replaces the file by the given changes, and appends from then on.
func (c *catalog) rewrite(dir string, changes []change) error {
	path := filepath.Join(dir, catalogName)
	var b []byte
	for _, ch := range append([]change{{Op: "next", Next: c.next}}, changes...) {
		line, err := json.Marshal(ch)
		if err != nil {
			return err
		}
		b = append(append(b, line...), '\n')
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		f.Close()
		return err
	}
	c.file = f
	return nil
}

// add appends a change; it is on disk when add returns nil.
func (c *catalog) add(ch change) error {
	line, err := json.Marshal(ch)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at, err := c.file.Seek(0, 1)
	if err != nil {
		return err
	}
	_, err = c.file.Write(append(line, '\n'))
	if err == nil {
		err = c.file.Sync()
	}
	if err != nil { // half a line would make the next one unreadable
		return errors.Join(err, c.file.Truncate(at), seek(c.file, at))
	}
	return nil
}

func seek(f *os.File, at int64) error {
	_, err := f.Seek(at, 0)
	return err
}

// newID returns an ID that no group or stream ever had.
func (c *catalog) newID() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.next
	c.next++
	return id
}

func (c *catalog) close() error { return c.file.Close() }

// syncDir makes renames and new files in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
