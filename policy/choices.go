package policy

// This file holds every choice where AWS does not document, or contradicts, what
// it does. The sheet marks them [U]. Each is a constant: flip it here.
const (
	version2012       = "2012-10-17"
	plainTextVersions = true // ${...} is plain text under 2008-10-17 and without version. Sheet 2
)
