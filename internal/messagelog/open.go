package messagelog

import (
	"errors"
	"log/slog"
)

// Options are what [Open] needs.
type Options struct {
	Dir        string // made with mode 0700 if it does not exist
	Durability Durability
	MaxBytes   int64        // of all files; default 8 GiB
	MinFree    int64        // bytes that must stay free on the file system; default 256 MiB
	Log        *slog.Logger // required
}

// Open opens the log in a folder, or makes one.
func Open(o Options) (Log, error) {
	return nil, errors.New("message log: not built yet")
}
