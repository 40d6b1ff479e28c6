package registry

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// An AccessKey signs API requests (SigV4) as the root user of the account.
type AccessKey struct {
	ID     string // AKIA and 16 letters or digits
	Secret string // 40 characters
}

// LogValue hides the secret.
func (k AccessKey) LogValue() slog.Value { return slog.StringValue(k.ID) }

// AccessKey looks up the key that signed a request. ok is false when no active
// key has that ID.
func (r *Registry) AccessKey(ctx context.Context, accessKeyID string) (key AccessKey, ok bool, err error) {
	var row registrydb.AccessKey
	err = r.view(ctx, func(q *registrydb.Queries) error {
		row, err = q.GetAccessKey(ctx, accessKeyID)
		return err
	})
	switch {
	case store.IsNotFound(err):
		return AccessKey{}, false, nil
	case err != nil:
		return AccessKey{}, false, err
	}
	return AccessKey{row.AccessKeyID, row.SecretAccessKey}, row.Status == "Active", nil
}

// FirstAccessKey returns the oldest active key: the one that the first start made.
func (r *Registry) FirstAccessKey(ctx context.Context) (AccessKey, error) {
	row, err := r.read().OldestAccessKey(ctx)
	if err != nil {
		return AccessKey{}, err
	}
	return AccessKey{row.AccessKeyID, row.SecretAccessKey}, nil
}

// ensureAccessKey makes an access key when there is none.
func (r *Registry) ensureAccessKey(ctx context.Context) error {
	if _, err := r.read().OldestAccessKey(ctx); !store.IsNotFound(err) {
		return err
	}
	return r.write(ctx, func(t *tx) error {
		return t.InsertAccessKey(ctx, registrydb.InsertAccessKeyParams{
			AccessKeyID:     "AKIA" + randomString(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
			SecretAccessKey: randomString(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
			Status:          "Active",
			CreatedAt:       t.now,
		})
	})
}

// randomString draws n characters of alphabet, whose length divides 256, so
// that every character is equally likely.
func randomString(n int, alphabet string) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: it ends the program instead
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
