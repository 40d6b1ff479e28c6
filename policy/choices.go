package policy

// This file holds every choice where AWS does not document, or contradicts, what
// it does. The sheet marks them [U]. Each is a constant: flip it here.
const (
	version2012 = "2012-10-17"
	version2008 = "2008-10-17"

	// plainTextVersions: ${...} is plain text under 2008-10-17 and in a document
	// without Version, as in IAM. Policy sheet 2.
	plainTextVersions = true

	// rejectPrincipal: Principal and NotPrincipal make a document malformed,
	// since an IoT policy is attached to its principal. Policy sheet 2, 14.9.
	rejectPrincipal = true

	// rejectEmptyStatementList: "Statement": [] is malformed. Policy sheet 14.2.
	rejectEmptyStatementList = true

	// foldActions: action names compare case-insensitively, as in IAM. Policy sheet 2.
	foldActions = true

	// shortARNs: in a resource of fewer than six parts a last part that is a lone
	// star stands for all remaining parts. Policy sheet 6.1.
	shortARNs = true

	// defaultValues: ${key, 'default'} gives the default where the key has no
	// value, as in IAM. Policy sheet 7.5.
	defaultValues = true

	// firstIndex is the suffix of the second value of a multi-valued certificate
	// attribute: ".1". Index 0 resolves to nothing. Policy sheet 7.3, 17.8.
	firstIndex = 1

	// escapedInCertificates are the characters of certificate values that get a
	// backslash; leading and trailing spaces get none. Policy sheet 7.3.
	escapedInCertificates = ",\"\\+=<>;"

	// escapeDirectoryName: a DirectoryName is inserted as it is, because its own
	// commas and equals signs are structure. Policy sheet 7.3.
	escapeDirectoryName = false

	// availableKeysPrefix: iot:Certificate.AvailableKeys lists whole names
	// ("iot:Certificate.Subject.CommonName"). Policy sheet 7.3.
	availableKeysPrefix = "iot:Certificate."

	// plainOnMulti is what an operator without ForAllValues or ForAnyValue does
	// on a key with several values: as ForAnyValue. Policy sheet 17.1.
	plainOnMulti = forAnyValue

	// foldKeys: condition keys and variable names compare case-insensitively;
	// names of thing attributes in brackets do not. Policy sheet 9.1.
	foldKeys = true

	// arnStarNeedsARN: a plain star as value of an ARN operator matches only what
	// is an ARN. Policy sheet 9.2 compares part by part.
	arnStarNeedsARN = true

	// questionIsRune: a question mark stands for one character of UTF-8, not for
	// one byte. Policy sheet 6.1 says "character".
	questionIsRune = true

	// globalKeys: aws:CurrentTime, aws:EpochTime and aws:SecureTransport exist.
	// Policy sheet 9.4.
	globalKeys = true

	// groupsOverHTTP: policies of thing groups apply to HTTPS calls, which have no
	// client ID. Policy sheet 8.3.
	groupsOverHTTP = false
)
