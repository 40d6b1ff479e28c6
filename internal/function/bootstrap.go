package function

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed bootstrap
var bootstrapFiles embed.FS

// writeBootstraps puts the programs that speak the Runtime API for Node and
// Python handlers into dir, where everybody may read them: they hold no secrets.
func writeBootstraps(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
		return err
	}
	for _, name := range []string{nodeBootstrap, pythonBootstrap} {
		text, err := bootstrapFiles.ReadFile("bootstrap/" + name)
		if err != nil {
			return fmt.Errorf("embedded bootstrap: %w", err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
		if err := os.Chmod(file, 0o644); err != nil {
			return err
		}
	}
	return nil
}

const (
	nodeBootstrap   = "node.mjs"
	pythonBootstrap = "python.py"
)
