import { z } from 'zod';

// The page's policy forbids making code from text, which zod otherwise tries.
z.config({ jitless: true });
