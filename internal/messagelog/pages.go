package messagelog

// Of a stored message memory keeps how many queues hold it, its size and its expiry, in pages of
// neighbours: eight bytes a message, or twelve. A page goes with its last message.
const pageMessages = 64

type page struct {
	live    int
	refs    [pageMessages]uint32
	size    [pageMessages]uint32
	expires *[pageMessages]uint32 // seconds since 1970, 0 never; nil: none expires
	soonest uint32                // least of expires, or earlier; 0: none
}

type pages struct {
	m     map[Seq]*page
	last  *page // the newest, which is number lastN
	lastN Seq
}

func (p *pages) at(s Seq) *page {
	n := s / pageMessages
	if p.last != nil && n == p.lastN {
		return p.last
	}
	return p.m[n]
}

// add keeps a message that refs queues hold.
func (p *pages) add(s Seq, refs, size, expires uint32) {
	pg := p.at(s)
	if pg == nil {
		pg = new(page)
		if p.m == nil {
			p.m = make(map[Seq]*page)
		}
		p.m[s/pageMessages] = pg
		p.last, p.lastN = pg, s/pageMessages
	}
	i := s % pageMessages
	pg.live++
	pg.refs[i], pg.size[i] = refs, size
	if expires != 0 {
		if pg.expires == nil {
			pg.expires = new([pageMessages]uint32)
		}
		pg.expires[i] = expires
		if pg.soonest == 0 || expires < pg.soonest {
			pg.soonest = expires
		}
	}
}

// size is the size of a message that is kept.
func (p *pages) size(s Seq) uint32 { return p.at(s).size[s%pageMessages] }

// expired tells whether a message that is kept has expired.
func (p *pages) expired(s Seq, now uint32) bool {
	pg := p.at(s)
	if pg.expires == nil {
		return false
	}
	e := pg.expires[s%pageMessages]
	return e != 0 && e <= now
}

// drop takes one reference away, and tells whether it was the last.
func (p *pages) drop(s Seq) bool {
	pg, i := p.at(s), s%pageMessages
	pg.refs[i]--
	if pg.refs[i] > 0 {
		return false
	}
	pg.size[i] = 0
	if pg.expires != nil {
		pg.expires[i] = 0
	}
	if pg.live--; pg.live == 0 {
		delete(p.m, s/pageMessages)
		if p.last == pg {
			p.last = nil
		}
	}
	return true
}

// nextExpiry is when the next message expires, or earlier, in seconds since 1970; 0: none does.
func (p *pages) nextExpiry() uint32 {
	var next uint32
	for _, pg := range p.m {
		if pg.soonest != 0 && (next == 0 || pg.soonest < next) {
			next = pg.soonest
		}
	}
	return next
}

// takeExpired returns at most limit messages that have expired, and brings the bounds of pages up to date.
func (p *pages) takeExpired(now uint32, limit int) (seqs []Seq) {
	for n, pg := range p.m {
		if pg.soonest == 0 || pg.soonest > now {
			continue
		}
		pg.soonest = 0
		for i, e := range pg.expires {
			switch {
			case e == 0:
			case e <= now && len(seqs) < limit:
				seqs = append(seqs, n*pageMessages+Seq(i))
			case pg.soonest == 0 || e < pg.soonest:
				pg.soonest = e
			}
		}
	}
	return seqs
}
