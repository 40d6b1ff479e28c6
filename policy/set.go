package policy

// A Named is a document as one principal meets it. Only default versions count;
// choosing them is the caller's part.
type Named struct {
	Name    string
	Version string // version ID, "" where it has none
	ARN     string // "" where it has none
	Source  string // why it applies: SourceCertificate, SourceGroup+name, SourceAuthorizer
	Doc     *Document
}

// Sources of a document. Documents of a group count only where the connection
// belongs to a thing: policy sheet 8.3.
const (
	SourceCertificate = "certificate"
	SourceCognito     = "cognito"
	SourceGroup       = "group:" // followed by the group's name
	SourceAuthorizer  = "authorizer"
)

// A Set is the union of the documents of a principal, indexed by action.
// It is immutable; many goroutines may use it at once.
type Set struct {
	docs []Named
}

// Compile indexes docs. Their order does not matter to any decision.
func Compile(docs ...Named) *Set { return &Set{docs: docs} }

// Policies returns the documents of the set.
func (s *Set) Policies() []Named { return s.docs }

// Bound is a set whose variables and conditions are resolved for one context.
// Many goroutines may use it at once.
type Bound struct {
	set *Set
	ctx *Context
}

// Bind resolves variables and conditions of s for ctx. It costs little: the
// work is done per action, when that action is first asked for.
func (s *Set) Bind(ctx *Context) *Bound { return &Bound{set: s, ctx: ctx} }

// Decide answers whether action is allowed on name: the client ID, topic, topic
// filter, thing or role alias, without its type. For ListRetainedMessages name
// is ignored; for an action that is not listed it is the whole resource part
// ("dimension/x"). It does not allocate for listed actions once each was asked
// for, and does not keep name.
func (b *Bound) Decide(action Action, name string) Effect { return ImplicitDeny }

// Explain decides like [Bound.Decide] and says why. It is for refusals and for
// people: slower by orders of magnitude.
func (b *Bound) Explain(action Action, name string) Decision { return Decision{} }

// A Cache remembers decisions of one Bound, a bounded number of them. Many
// goroutines may use it at once.
type Cache struct{ b *Bound }

// NewCache returns a cache for b with room for at least size decisions; 0 means 64.
func NewCache(b *Bound, size int) *Cache { return &Cache{b: b} }

// Decide answers like [Bound.Decide]. A hit does not allocate; a miss copies
// name, so name may be borrowed memory.
func (c *Cache) Decide(action Action, name string) Effect { return c.b.Decide(action, name) }
