package mqtt

// Match reports whether a topic filter matches a topic name as AWS IoT matches:
//   - + matches exactly one level, which may be empty;
//   - # matches its level and all below, but not the parent: "sensor/#" matches
//     "sensor/" and "sensor/a", not "sensor". This is AWS's rule, against
//     section 4.7.1.2 of the standards;
//   - a filter that begins with + or # matches no name that begins with $
//     (MQTT-4.7.2-1).
//
// Both must be checked already, the filter without $share/{name}/. It allocates
// nothing. Source: mqtt sheet 1.
func Match[F, N ~string | ~[]byte](filter F, name N) bool {
	if len(filter) == 0 || len(name) == 0 {
		return false
	}
	if name[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	i := 0 // in name
	for f := 0; f < len(filter); f++ {
		switch filter[f] {
		case '#':
			return true // a level begins here in name, perhaps an empty one
		case '+':
			for i < len(name) && name[i] != '/' {
				i++
			}
		default:
			if i >= len(name) || filter[f] != name[i] {
				return false
			}
			i++
		}
	}
	return i == len(name)
}
