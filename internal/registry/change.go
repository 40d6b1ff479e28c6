package registry

import (
	"slices"
	"sync"
)

// A ChangeKind says what a [Change] is about.
type ChangeKind int

// What can change, with the fields of [Change] that are set.
const (
	CertificateChanged    ChangeKind = iota + 1 // CertificateID: registered, new status, or deleted
	CACertificateChanged                        // CertificateID: of the CA
	PolicyChanged                               // PolicyName: another default document, or deleted
	AttachmentChanged                           // PolicyName and Target, with CertificateID or GroupName when Target is one
	ThingChanged                                // ThingName: created, updated, or deleted
	ThingPrincipalChanged                       // ThingName and Target, with CertificateID when Target is one
	GroupChanged                                // GroupName: created, another parent, or deleted
	GroupMemberChanged                          // GroupName and ThingName
	ThingTypeChanged                            // TypeName
	UserChanged                                 // UserID: another policy, or, with Status, deleted
	AuthorizerChanged                           // AuthorizerName; "" when the default was cleared
	DomainChanged                               // DomainName: a configuration or its server certificate
	LoggingChanged                              // options or levels
)

// A Change tells caches and live connections that a committed transaction
// changed something. It names what changed, not how: whoever cares reads again.
type Change struct {
	Kind           ChangeKind
	CertificateID  string
	UserID         string
	Status         string // of the certificate after the change, "DELETED" when it or the user is gone
	PolicyName     string
	ThingName      string
	TypeName       string
	GroupName      string
	AuthorizerName string
	DomainName     string // name of a domain configuration; "" for a server certificate
	Target         string // of an attachment, or a thing's principal: an ARN, or a Cognito identity ID
}

// watchers calls functions for every change, in the order of the commits.
type watchers struct {
	mu   sync.Mutex // guards what follows
	next int
	list []watcher
}

type watcher struct {
	id int
	fn func(Change)
}

// Watch calls fn for every change after its commit, in the order of the
// commits, and before the operation that made it returns to its caller: what
// an API call changed counts for every packet that arrives after the answer.
// fn must be quick and must not change the registry; it may read it. After
// stop returns, fn may still finish the call it is in.
func (r *Registry) Watch(fn func(Change)) (stop func()) {
	w := &r.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	id := w.next
	w.list = append(slices.Clip(w.list), watcher{id, fn}) // a copy: notify may be reading the old one
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.list = slices.DeleteFunc(slices.Clone(w.list), func(x watcher) bool { return x.id == id })
	}
}

// notify tells everyone about the changes of one transaction.
func (w *watchers) notify(changes []Change) {
	w.mu.Lock()
	list := w.list
	w.mu.Unlock()
	for _, c := range changes {
		for _, x := range list {
			x.fn(c)
		}
	}
}
