package registry

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// An AccessKey signs requests (SigV4) as a user of the account.
type AccessKey struct {
	ID       string // AKIA and 16 letters or digits
	Secret   string // 40 characters
	UserName string // "" for the root user
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
	return AccessKey{row.AccessKeyID, row.SecretAccessKey, row.UserName}, row.Status == "Active", nil
}

// Signer returns the key that signed a request, and the user that it acts as. ok
// is false when no active key has that ID.
func (r *Registry) Signer(ctx context.Context, accessKeyID string) (key AccessKey, user User, ok bool, err error) {
	key, ok, err = r.AccessKey(ctx, accessKeyID)
	switch {
	case err != nil || !ok:
		return AccessKey{}, User{}, false, err
	case key.UserName == "":
		return key, r.root(), true, nil
	}
	row, err := r.read().GetUser(ctx, key.UserName)
	if store.IsNotFound(err) { // removed between the two reads
		return AccessKey{}, User{}, false, nil
	}
	return key, r.user(row), err == nil, err
}

// FirstAccessKey returns the oldest active key of the root user: the one that the first start made.
func (r *Registry) FirstAccessKey(ctx context.Context) (AccessKey, error) {
	row, err := r.read().OldestAccessKey(ctx)
	if err != nil {
		return AccessKey{}, err
	}
	return AccessKey{row.AccessKeyID, row.SecretAccessKey, row.UserName}, nil
}

// ensureAccessKey makes an access key of the root user when there is none.
func (r *Registry) ensureAccessKey(ctx context.Context) error {
	if _, err := r.read().OldestAccessKey(ctx); !store.IsNotFound(err) {
		return err
	}
	return r.write(ctx, func(t *tx) error { return t.insertAccessKey(ctx, newAccessKey("")) })
}

// keyAlphabet has the characters of access key IDs and user IDs.
const keyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

func newAccessKey(userName string) AccessKey {
	return AccessKey{
		ID:       "AKIA" + randomString(16, keyAlphabet),
		Secret:   randomString(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
		UserName: userName,
	}
}

func (t *tx) insertAccessKey(ctx context.Context, key AccessKey) error {
	return t.InsertAccessKey(ctx, registrydb.InsertAccessKeyParams{
		AccessKeyID: key.ID, SecretAccessKey: key.Secret, Status: "Active", CreatedAt: t.now, UserName: key.UserName,
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
