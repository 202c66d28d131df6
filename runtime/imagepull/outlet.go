package imagepull

import "podd/images"

// Allow says which images other machines may have, by the name of a repository: those that archives of the folder have brought,
// and those that Records knows to be public.
func Allow(store *images.Store, records *Records, v Verification) func(a *images.Artifact, repository string) bool {
	return func(a *images.Artifact, repository string) bool {
		return store.Brought(a.ID) || records.Public(v, a.ID, repository, a.Pulled)
	}
}
