package function

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// packages keeps deployment packages in files named by their hash, and unpacks
// those that are run.
type packages struct {
	dir     string // of the zip files
	runDir  string
	groupOf func(int) int

	mu       sync.Mutex
	unpacked map[string]unpackedCode // by hash; guarded by mu
	next     int                     // guarded by mu
}

type unpackedCode struct {
	dir   string
	group int // its number
}

// add keeps a package; when it returns, the package is on disk. It answers a *ZipError.
func (p *packages) add(raw []byte) (hash string, err error) {
	if _, err := checkZip(raw); err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	hash = hex.EncodeToString(sum[:])
	file := p.file(hash)
	if _, err := os.Stat(file); err == nil {
		return hash, nil
	}
	f, err := os.CreateTemp(p.dir, "new-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return "", fmt.Errorf("keep a deployment package: %w", err)
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return "", err
	}
	return hash, syncDir(p.dir)
}

func (p *packages) file(hash string) string { return filepath.Join(p.dir, hash+".zip") }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// folder returns the unpacked package, which it unpacks when that is its first use.
func (p *packages) folder(ctx context.Context, hash string) (unpackedCode, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.unpacked[hash]; ok {
		return u, nil
	}
	if err := ctx.Err(); err != nil {
		return unpackedCode{}, err
	}
	raw, err := os.ReadFile(p.file(hash))
	if err != nil {
		return unpackedCode{}, err
	}
	z, err := checkZip(raw)
	if err != nil {
		return unpackedCode{}, err
	}
	u := unpackedCode{dir: filepath.Join(p.runDir, fmt.Sprintf("code-%d", p.next)), group: p.next}
	p.next++
	if err := p.makeFolder(u); err != nil {
		return unpackedCode{}, err
	}
	if err := unpack(z, u.dir, p.groupOf(u.group)); err != nil {
		os.RemoveAll(u.dir)
		return unpackedCode{}, err
	}
	p.unpacked[hash] = u
	return u, nil
}

func (p *packages) makeFolder(u unpackedCode) error {
	if err := os.Mkdir(u.dir, 0o750); err != nil {
		return err
	}
	if err := os.Chown(u.dir, -1, p.groupOf(u.group)); err != nil {
		return err
	}
	return os.Chmod(u.dir, 0o750)
}

// keepOnly removes packages that no function needs any more.
func (p *packages) keepOnly(needed map[string]bool) error {
	files, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range files {
		hash, isZip := strings.CutSuffix(f.Name(), ".zip")
		if needed[hash] {
			continue
		}
		if !isZip && !strings.HasPrefix(f.Name(), "new-") {
			continue
		}
		if err := os.Remove(filepath.Join(p.dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if u, ok := p.unpacked[hash]; ok { // a process that runs still has its files open
			os.RemoveAll(u.dir)
			delete(p.unpacked, hash)
		}
	}
	return nil
}
