package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// skipped are folders that no function needs.
var skipped = map[string]bool{".git": true, ".bin": true, "__pycache__": true, ".venv": true, ".cache": true}

// walk calls fn with every regular file of a function's folder.
func walk(dir string, fn func(path, name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped[entry.Name()]:
			return fs.SkipDir
		case !entry.Type().IsRegular(): // a deployment package holds no links
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return fn(path, filepath.ToSlash(name), info)
	})
}

// folderState changes when a file does.
func folderState(dir string) (string, error) {
	sum := fnv.New128a()
	err := walk(dir, func(_, name string, info fs.FileInfo) error {
		fmt.Fprintln(sum, name, info.Size(), info.ModTime().UnixNano(), info.Mode())
		return nil
	})
	return string(sum.Sum(nil)), err
}

// packFolder makes the deployment package of a folder; a Go program is built first.
func packFolder(ctx context.Context, stderr io.Writer, dir string, build bool) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	var err error
	if build {
		err = packProgram(ctx, stderr, z, dir)
	} else {
		var left int64 = function.MaxUnzipped
		err = walk(dir, func(path, name string, info fs.FileInfo) error {
			if left -= info.Size(); left < 0 {
				return fmt.Errorf("%s holds more than %d bytes, which is the most a function may have", dir, function.MaxUnzipped)
			}
			return packFile(z, path, name, info)
		})
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	if b.Len() > function.MaxZip {
		return nil, fmt.Errorf("the deployment package of %s has %d bytes, at most %d are allowed", dir, b.Len(), function.MaxZip)
	}
	return b.Bytes(), nil
}

func packFile(z *zip.Writer, path, name string, info fs.FileInfo) error {
	h, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	h.Name, h.Method = name, zip.Deflate
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// packProgram builds the Go program of a folder into the file bootstrap.
func packProgram(ctx context.Context, stderr io.Writer, z *zip.Writer, dir string) error {
	tmp, err := os.MkdirTemp("", "gatehouse-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-o", out, ".")
	cmd.Dir, cmd.Stderr, cmd.Stdout = dir, stderr, stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) {
		return withHint(fmt.Errorf("build %s: %w", dir, err), "install Go, or put an executable file bootstrap into the folder")
	} else if err != nil {
		return fmt.Errorf("build %s: %s", dir, strings.TrimPrefix(err.Error(), "exec: "))
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	return packFile(z, out, "bootstrap", info)
}
